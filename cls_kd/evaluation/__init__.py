"""Measures beyond accuracy."""

from cls_kd.evaluation.branches import PeerAccuracy
from cls_kd.evaluation.probes import KNNProbe, LinearProbe

__all__ = ["KNNProbe", "LinearProbe", "PeerAccuracy"]
