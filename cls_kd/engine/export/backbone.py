"""The backbone of a student alone: embeddings in the place of logits."""

from __future__ import annotations

import copy
from dataclasses import replace

from mmpretrain.models import TimmClassifier
from torch import nn

from cls_kd.engine.export.clean_config import short_name
from cls_kd.engine.export.student import Student
from cls_kd.errors import UserError
from cls_kd.signals.heads import describe
from cls_kd.signals.taps import classifier_path

EMBEDDING = "embedding"


def backbone_of(student: Student) -> Student:
    """A student without its classifier: what it gives is what the classifier saw, (N, D).

    A network of timm's becomes timm's own network with ``num_classes=0``.

    Args:
        student: From ``read_student``.

    Raises:
        UserError: It has no linear classifier.
    """
    network = copy.deepcopy(student.network)
    if isinstance(network, TimmClassifier):
        network = network.model
        network.reset_classifier(0)
        config = {**student.config, "num_classes": 0}
    else:
        path = classifier_path(network)
        if path is None:
            raise UserError(f"{describe(network)} has no linear classifier that could be left out.")
        network.set_submodule(path, nn.Identity())
        config = student.config
    return replace(student, network=network.eval(), config=config, classes=[], output=EMBEDDING)


def check_backbone_formats(student: Student, formats: tuple[str, ...]) -> None:
    """Refuse formats that build a network with a classifier.

    Raises:
        UserError: Which formats a backbone can be written in.
    """
    of_timm = short_name(student.config["type"]) == TimmClassifier.__name__
    refused = {"mmpretrain", "onnx-int8", "onnx-fp16"}
    refused |= set() if of_timm else {"safetensors", "timm"}
    wrong = [name for name in formats if name in refused]
    if wrong:
        allowed = ["onnx", "onnx-dynamic", "torch-export"]
        allowed += ["safetensors", "timm"] if of_timm else []
        raise UserError(
            f"The backbone of {describe(student.network)} cannot be written as {wrong[0]}: "
            f"--backbone is for --formats {' '.join(allowed)}."
        )
