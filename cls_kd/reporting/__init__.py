"""From finished runs on disk to tables, figures and a report.

Reads only the ``result.json`` that each run wrote.
"""

from cls_kd.reporting.baseline import Comparison, comparison
from cls_kd.reporting.collect import Collected, collect
from cls_kd.reporting.joined import write_joined
from cls_kd.reporting.plots import draw
from cls_kd.reporting.report import Report, ReportPaths, make_report
from cls_kd.reporting.sections import Section
from cls_kd.reporting.statistics import Gain, adjusted, holm, paired_gain
from cls_kd.reporting.tables import summarize

__all__ = [
    "Collected",
    "Comparison",
    "Gain",
    "Report",
    "ReportPaths",
    "Section",
    "adjusted",
    "collect",
    "comparison",
    "draw",
    "holm",
    "make_report",
    "paired_gain",
    "summarize",
    "write_joined",
]
