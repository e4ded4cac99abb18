"""Published checkpoints without the files: their keys, weights by a fixed rule, and what they give.

``logits`` computes each network from its flat state dict with functions of torch alone, from the
description of the public code; it shares no line with ``cls_kd.models``.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from zlib import crc32

import torch
import torch.nn.functional as F
from torch import Tensor

_KEYS = Path(__file__).with_name("published_keys.txt")
State = dict[str, Tensor]


@cache
def modules() -> dict[str, list[tuple[str, str, tuple[int, ...]]]]:
    """Network to its modules: path, kind (norm, bias, plain), shape of the weight."""
    found: dict[str, list[tuple[str, str, tuple[int, ...]]]] = {}
    for line in _KEYS.read_text().splitlines()[1:]:
        if line.startswith("# "):
            network = found.setdefault(line[2:], [])
            continue
        path, kind, shape = line.split()
        network.append((path, kind, tuple(map(int, shape.split("x")))))
    return found


def state(network: str, counters: bool = True) -> State:
    """Weights of a fixed rule under the published keys: each drawn with its key's checksum."""
    made: State = {}
    for path, kind, shape in modules()[network]:
        draw = torch.Generator().manual_seed(crc32(path.encode()))

        def uniform(low: float, high: float, size: int, draw: torch.Generator = draw) -> Tensor:
            return torch.rand(size, generator=draw) * (high - low) + low

        if kind == "norm":
            made[f"{path}.weight"] = uniform(0.5, 1.5, *shape)
            made[f"{path}.bias"] = uniform(-0.3, 0.3, *shape)
            made[f"{path}.running_mean"] = uniform(-0.3, 0.3, *shape)
            made[f"{path}.running_var"] = uniform(0.5, 1.5, *shape)
            if counters:
                made[f"{path}.num_batches_tracked"] = torch.tensor(7)
            continue
        spread = (2 / (torch.Size(shape).numel() / shape[0])) ** 0.5
        made[f"{path}.weight"] = torch.randn(shape, generator=draw) * spread
        if kind == "bias":
            made[f"{path}.bias"] = uniform(-0.3, 0.3, shape[0])
    return made


def logits(network: str, weights: State, images: Tensor) -> Tensor:
    """What the original network gives in eval mode."""
    for pattern, forward in _FORWARD.items():
        if re.fullmatch(pattern, network):
            return forward(weights, images)
    raise KeyError(network)


def _bn(w: State, path: str, x: Tensor) -> Tensor:
    parts = (w[f"{path}.{name}"] for name in ("running_mean", "running_var", "weight", "bias"))
    mean, var, gain, shift = (part[:, None, None] for part in parts)
    return (x - mean) / torch.sqrt(var + 1e-5) * gain + shift


def _conv(w: State, path: str, x: Tensor, stride: int = 1) -> Tensor:
    """Padding keeps the size; groups follow from the shapes."""
    weight = w[f"{path}.weight"]
    groups = x.shape[1] // weight.shape[1]
    bias = w.get(f"{path}.bias")
    return F.conv2d(x, weight, bias, stride, padding=weight.shape[-1] // 2, groups=groups)


def _linear(w: State, path: str, x: Tensor) -> Tensor:
    return x @ w[f"{path}.weight"].T + w[f"{path}.bias"]


def _count(w: State, prefix: str) -> int:
    """How many numbered children a path has."""
    return len({key[len(prefix) :].split(".")[1] for key in w if key.startswith(f"{prefix}.")})


def _residual(w: State, x: Tensor, stages: int, shortcut: str) -> Tensor:
    for stage in range(1, stages + 1):
        for block in range(_count(w, f"layer{stage}")):
            p = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            last = 3 if f"{p}.conv3.weight" in w else 2
            out = x
            for number in range(1, last + 1):
                # The stride sits in the first 3x3 convolution.
                carries = number == (1 if last == 2 else 2)
                conv = _conv(w, f"{p}.conv{number}", out, stride if carries else 1)
                out = _bn(w, f"{p}.bn{number}", conv)
                out = out.clamp(min=0) if number < last else out
            if f"{p}.{shortcut}.0.weight" in w:
                x = _bn(w, f"{p}.{shortcut}.1", _conv(w, f"{p}.{shortcut}.0", x, stride))
            x = (out + x).clamp(min=0)
    return x


def _resnet(w: State, x: Tensor) -> Tensor:
    x = _residual(w, _bn(w, "bn1", _conv(w, "conv1", x)).clamp(min=0), 3, "downsample")
    return _linear(w, "fc", F.avg_pool2d(x, 8).flatten(1))


def _resnet4(w: State, x: Tensor) -> Tensor:
    x = _residual(w, _bn(w, "bn1", _conv(w, "conv1", x)).clamp(min=0), 4, "shortcut")
    return _linear(w, "linear", x.mean((2, 3)))


def _imagenet_resnet(w: State, x: Tensor) -> Tensor:
    x = _bn(w, "bn1", _conv(w, "conv1", x, 2)).clamp(min=0)
    x = _residual(w, F.max_pool2d(x, 3, 2, 1), 4, "downsample")
    return _linear(w, "fc", x.mean((2, 3)))


def _wrn(w: State, x: Tensor) -> Tensor:
    x = _conv(w, "conv1", x)
    for group in range(1, 4):
        for block in range(_count(w, f"block{group}.layer")):
            p = f"block{group}.layer.{block}"
            stride = 2 if group > 1 and block == 0 else 1
            active = _bn(w, f"{p}.bn1", x).clamp(min=0)
            out = _bn(w, f"{p}.bn2", _conv(w, f"{p}.conv1", active, stride)).clamp(min=0)
            if f"{p}.convShortcut.weight" in w:
                x = _conv(w, f"{p}.convShortcut", active, stride)
            x = x + _conv(w, f"{p}.conv2", out)
    return _linear(w, "fc", F.avg_pool2d(_bn(w, "bn1", x).clamp(min=0), 8).flatten(1))


def _vgg(w: State, x: Tensor) -> Tensor:
    for block in range(5):
        for number in range(0, 30, 3):
            if f"block{block}.{number}.weight" in w:
                x = _conv(w, f"block{block}.{number}", x)
                x = _bn(w, f"block{block}.{number + 1}", x).clamp(min=0)
        x = F.max_pool2d(x, 2) if block < 3 else x
    return _linear(w, "classifier", x.mean((2, 3)))


def _mobilenet_v2(w: State, x: Tensor) -> Tensor:
    x = _bn(w, "conv1.1", _conv(w, "conv1.0", x, 2)).clamp(min=0)
    for stage, stride in enumerate((1, 1, 2, 2, 1, 2, 1)):
        for block in range(_count(w, f"blocks.{stage}")):
            p = f"blocks.{stage}.{block}.conv"
            out = _bn(w, f"{p}.1", _conv(w, f"{p}.0", x)).clamp(min=0)
            out = _conv(w, f"{p}.3", out, stride if block == 0 else 1)
            out = _conv(w, f"{p}.6", _bn(w, f"{p}.4", out).clamp(min=0))
            out = _bn(w, f"{p}.7", out)
            x = x + out if block else out
    x = _bn(w, "conv2.1", _conv(w, "conv2.0", x)).clamp(min=0)
    return _linear(w, "classifier.0", F.avg_pool2d(x, 2).flatten(1))


def _shuffled(x: Tensor, groups: int) -> Tensor:
    order = torch.arange(x.shape[1]).reshape(groups, -1).T.flatten()
    return x[:, order]


def _shufflenet_v1(w: State, x: Tensor) -> Tensor:
    x = _bn(w, "bn1", _conv(w, "conv1", x)).clamp(min=0)
    for stage in range(1, 4):
        for unit in range(_count(w, f"layer{stage}")):
            p = f"layer{stage}.{unit}"
            groups = 1 if (stage, unit) == (1, 0) else 3
            out = _bn(w, f"{p}.bn1", _conv(w, f"{p}.conv1", x)).clamp(min=0)
            out = _conv(w, f"{p}.conv2", _shuffled(out, groups), 1 if unit else 2)
            out = _bn(w, f"{p}.bn2", out).clamp(min=0)
            out = _bn(w, f"{p}.bn3", _conv(w, f"{p}.conv3", out))
            pooled = F.avg_pool2d(x, 3, 2, 1)
            x = (out + x if unit else torch.cat([out, pooled], 1)).clamp(min=0)
    return _linear(w, "linear", F.avg_pool2d(x, 4).flatten(1))


def _shufflenet_v2(w: State, x: Tensor) -> Tensor:
    def step(p: str, number: int, x: Tensor, stride: int = 1) -> Tensor:
        return _bn(w, f"{p}.bn{number}", _conv(w, f"{p}.conv{number}", x, stride))

    x = _bn(w, "bn1", _conv(w, "conv1", x)).clamp(min=0)
    for stage in range(1, 4):
        for unit in range(_count(w, f"layer{stage}")):
            p = f"layer{stage}.{unit}"
            if unit == 0:
                left = step(p, 2, step(p, 1, x, 2)).clamp(min=0)
                right = step(p, 4, step(p, 3, x).clamp(min=0), 2)
                right = step(p, 5, right).clamp(min=0)
            else:
                left, right = x[:, : x.shape[1] // 2], x[:, x.shape[1] // 2 :]
                right = step(p, 3, step(p, 2, step(p, 1, right).clamp(min=0))).clamp(min=0)
            x = _shuffled(torch.cat([left, right], 1), 2)
    x = _bn(w, "bn2", _conv(w, "conv2", x)).clamp(min=0)
    return _linear(w, "linear", F.avg_pool2d(x, 4).flatten(1))


def _mobilenet_v1(w: State, x: Tensor) -> Tensor:
    x = _bn(w, "model.0.1", _conv(w, "model.0.0", x, 2)).clamp(min=0)
    for unit in range(1, 14):
        stride = 2 if unit in (2, 4, 6, 12) else 1
        x = _conv(w, f"model.{unit}.0", x, stride)
        x = _conv(w, f"model.{unit}.3", _bn(w, f"model.{unit}.1", x).clamp(min=0))
        x = _bn(w, f"model.{unit}.4", x).clamp(min=0)
    return _linear(w, "fc", x.mean((2, 3)))


_FORWARD = {
    r"resnet\d+(x4)?": _resnet,
    r"ResNet(18|50)": _resnet4,
    r"imagenet_ResNet\d+": _imagenet_resnet,
    r"wrn_\d+_\d": _wrn,
    r"vgg\d+": _vgg,
    r"MobileNetV2": _mobilenet_v2,
    r"ShuffleV1": _shufflenet_v1,
    r"ShuffleV2": _shufflenet_v2,
    r"imagenet_MobileNetV1": _mobilenet_v1,
}
