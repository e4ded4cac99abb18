"""Signals: the vocabulary, where networks keep them, and who provides each."""

from cls_kd.signals.recorder import Recorder
from cls_kd.signals.shapes import ShapeFacts
from cls_kd.signals.sources import Batch, NetworkSource, training_progress
from cls_kd.signals.taps import Tap, backbone_taps, find_taps
from cls_kd.signals.vocabulary import VOCABULARY, Signal, check_names

__all__ = [
    "VOCABULARY",
    "Batch",
    "NetworkSource",
    "Recorder",
    "ShapeFacts",
    "Signal",
    "Tap",
    "backbone_taps",
    "check_names",
    "find_taps",
    "training_progress",
]
