"""From finished runs on disk to tables, figures and a report.

Reads only the ``result.json`` that each run wrote.
"""

from cls_kd.reporting.collect import Collected, collect
from cls_kd.reporting.joined import write_joined
from cls_kd.reporting.plots import draw
from cls_kd.reporting.report import ReportPaths, print_report, write_report
from cls_kd.reporting.sections import Section
from cls_kd.reporting.statistics import Gain, paired_gain
from cls_kd.reporting.tables import summarise

__all__ = [
    "Collected",
    "Gain",
    "ReportPaths",
    "Section",
    "collect",
    "draw",
    "paired_gain",
    "print_report",
    "summarise",
    "write_joined",
    "write_report",
]
