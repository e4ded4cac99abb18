"""Analyses: what finished runs tell beyond accuracy.

An analysis is a function, registered by its name in `ANALYSES`: finished runs and options in, one
`Section` out. A config lists those that `tools/train.py` adds to its report; `tools/analyze.py`
runs one on what is there.
"""

from cls_kd.analyses.comparisons import comparisons
from cls_kd.analyses.finished import Finished, analyse, finished

__all__ = ["Finished", "analyse", "comparisons", "finished"]
