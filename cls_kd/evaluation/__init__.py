"""Measures beyond accuracy."""

from cls_kd.evaluation.branches import PeerAccuracy

__all__ = ["PeerAccuracy"]
