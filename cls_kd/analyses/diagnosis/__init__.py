"""Why a distillation failed: measures of a finished run, and rules that name what is unusual."""

from cls_kd.analyses.diagnosis import network_rules, objective_rules  # registered by import
from cls_kd.analyses.diagnosis.diagnose import DEFAULT_IMAGES, Diagnosis, diagnose, findings
from cls_kd.analyses.diagnosis.measures import Measures
from cls_kd.analyses.diagnosis.registry import RULES, Finding, Rule

__all__ = [
    "DEFAULT_IMAGES",
    "RULES",
    "Diagnosis",
    "Finding",
    "Measures",
    "Rule",
    "diagnose",
    "findings",
    "network_rules",
    "objective_rules",
]
