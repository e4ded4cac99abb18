"""Signals: the vocabulary, where networks provide them, and the batch."""

from cls_kd.signals.batch import Batch
from cls_kd.signals.network import NetworkSource
from cls_kd.signals.recorder import Recorder
from cls_kd.signals.shapes import SignalShapes
from cls_kd.signals.tap import Tap
from cls_kd.signals.taps import backbone_taps, find_taps, network_taps
from cls_kd.signals.time import TrainingTime
from cls_kd.signals.vocabulary import VOCABULARY, Signal, check_names

__all__ = [
    "VOCABULARY",
    "Batch",
    "NetworkSource",
    "Recorder",
    "Signal",
    "SignalShapes",
    "Tap",
    "TrainingTime",
    "backbone_taps",
    "check_names",
    "find_taps",
    "network_taps",
]
