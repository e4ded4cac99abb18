"""A student read back from the folder that ``cls_kd.engine.export`` wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmcv.transforms import BaseTransform
from mmengine.utils import get_object_from_string
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from cls_kd.distillers.networks import build_network
from cls_kd.distillers.weights import load_weights
from cls_kd.engine.compat import prepare_process
from cls_kd.engine.export import FORMATS, Student
from cls_kd.engine.export.report import FACTS
from cls_kd.errors import UserError
from cls_kd.packages import require
from cls_kd.runs import read_config

_RUNS_CODE = "trust_remote_code"


class OnnxNetwork(nn.Module):
    """An ONNX file in place of a network: inputs (N, C, H, W) to logits (N, K), on the CPU.

    Args:
        file: Written by the format ``onnx``.

    Raises:
        UserError: onnxruntime is not installed, or cannot read the file.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        require("onnxruntime", by=str(file), install="onnxruntime")
        import onnxruntime

        try:
            self.session = onnxruntime.InferenceSession(
                str(file), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the bytes are not trusted: any error is the file's
            raise UserError(f"{file} cannot be read by onnxruntime: {error}") from None

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits."""
        (logits,) = self.session.run(["logits"], {"inputs": inputs.cpu().numpy()})
        return torch.from_numpy(logits).to(inputs.device)


def read_exported(folder: Path) -> Student:
    """The student of a folder with ``student.json``.

    Of the formats in it, safetensors is preferred to mmpretrain, and that to ONNX.

    Raises:
        UserError: A file is missing or damaged, or asks for code that is no network or transform.
    """
    prepare_process()
    facts = _facts(folder / FACTS)
    written = [name for name in _READERS if (folder / FORMATS[name].files[0]).is_file()]
    if not written:
        files = ", ".join(FORMATS[name].files[0] for name in _READERS)
        raise UserError(f"{folder} has {FACTS} and none of the files that can be read: {files}.")
    check_types(facts["pipeline"], BaseTransform, str(folder / FACTS))
    file = folder / FORMATS[written[0]].files[0]
    network = _READERS[written[0]](file)
    order = facts["channel_order"]
    return Student(
        network=network.eval(),
        config={},
        mean=facts["mean"] or [],
        std=facts["std"] or [],
        channel_order=None if order == "unknown" else order,
        to_rgb=order == "rgb",
        shape=tuple(facts["input_shape"]),
        classes=facts["classes"],
        pipeline=facts["pipeline"],
        note=f"{facts['network']} read from {file}.",
    )


def check_types(value: Any, base: type, source: str) -> None:
    """Refuse dotted type names in data that stand for anything but a kind of class.

    MMEngine's registries import a dotted name and call it, whatever it is.

    Args:
        value: From a file: a config, a list of configs.
        base: What each dotted ``type`` must be a class of.
        source: The file, for the message.

    Raises:
        UserError: A name stands for something else, or nothing.
    """
    if isinstance(value, Mapping):
        if value.get(_RUNS_CODE):
            raise UserError(f"{source} was refused: {_RUNS_CODE} would run downloaded code.")
        kind = value.get("type")
        if isinstance(kind, str) and "." in kind:
            target = get_object_from_string(kind)
            if not (isinstance(target, type) and issubclass(target, base)):
                raise UserError(f"{source} was refused: {kind!r} is no {base.__name__} here.")
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            check_types(item, base, source)


def _facts(file: Path) -> dict[str, Any]:
    try:
        facts = json.loads(file.read_text())
        missing = {"network", "input_shape", "mean", "std", "channel_order", "classes", "pipeline"}
        missing -= set(facts)
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{file} is damaged ({error}): export the student again.") from None
    if missing:
        lacking = ", ".join(sorted(missing))
        raise UserError(f"{file} lacks {lacking}: it is not of `cls-kd export`.")
    return facts


def _from_safetensors(file: Path) -> nn.Module:
    try:
        with safe_open(file, "pt") as opened:
            config = json.loads((opened.metadata() or {})["config"])
    except (SafetensorError, KeyError, ValueError, RecursionError) as error:
        raise UserError(f"{file} holds no network's config ({error}).") from None
    check_types(config, nn.Module, str(file))
    network = build_network(config)
    load_weights(network, str(file))
    return network


def _from_mmpretrain(file: Path) -> nn.Module:
    network = build_network(read_config(file.with_name(FORMATS["mmpretrain"].files[1])).model)
    load_weights(network, str(file))
    return network


_READERS: dict[str, Callable[[Path], nn.Module]] = {
    "safetensors": _from_safetensors,
    "mmpretrain": _from_mmpretrain,
    "onnx": OnnxNetwork,
}
"""By the names of ``FORMATS``, in order of preference."""
