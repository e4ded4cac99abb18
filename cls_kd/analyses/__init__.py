"""Analyses of finished runs beyond accuracy.

An analysis is a function, registered by its name in `ANALYSES`: finished runs and options in, one
`Section` out. A config lists those that `cls-kd train` adds to its report; `cls-kd analyze`
runs one on finished runs.
"""

from cls_kd.analyses.branches import branches, diversity_pull
from cls_kd.analyses.comparisons import comparisons
from cls_kd.analyses.decomposition import decomposition
from cls_kd.analyses.finished_runs import FinishedRun, analyze, finished_runs
from cls_kd.analyses.generation_transfer import generation_transfer
from cls_kd.analyses.generations import generation_calibration, generations
from cls_kd.analyses.secondary_information import secondary_information
from cls_kd.analyses.transfer_gap import transfer_gap

__all__ = [
    "FinishedRun",
    "analyze",
    "branches",
    "comparisons",
    "decomposition",
    "diversity_pull",
    "finished_runs",
    "generation_calibration",
    "generation_transfer",
    "generations",
    "secondary_information",
    "transfer_gap",
]
