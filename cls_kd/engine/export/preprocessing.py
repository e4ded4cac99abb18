"""Python that turns an image file into the student's inputs, with Pillow and NumPy alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cls_kd.engine.export.clean_config import short_name
from cls_kd.engine.export.student import Student

_MODES = {"rgb": "RGB", "bgr": "RGB", "gray": "L"}
_RESAMPLING = ("nearest", "bilinear", "bicubic", "lanczos")


def preprocessing_code(student: Student) -> str:
    """``image.png`` to ``inputs``, a float32 array (1, C, H, W).

    Transforms that have no counterpart here stand in it as comments.
    """
    mode = _MODES[student.channel_order or "rgb"]
    height_first = f"(image.height, image.width, {student.shape[0]})"
    lines = ["import numpy as np", "from PIL import Image", ""]
    lines.append(f"image = Image.open('image.png').convert({mode!r})")
    for step in student.pipeline:
        lines += _code_of(step)
    lines.append(f"pixels = np.asarray(image, np.float32).reshape{height_first}")
    if student.channel_order == "bgr":
        lines.append("pixels = pixels[..., ::-1]  # The network takes BGR.")
    if student.channel_order is None:
        lines.append("# The config does not tell whether the network takes RGB or BGR.")
    if student.mean:
        lines.append(f"mean, std = np.float32({student.mean}), np.float32({student.std})")
        lines.append("pixels = (pixels - mean) / std")
    lines.append("inputs = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])")
    return "\n".join(lines)


def _code_of(step: Mapping[str, Any]) -> list[str]:
    name = short_name(step["type"])
    lines = _CODE[name](step) if name in _CODE else None
    if lines is None:
        options = ", ".join(f"{key}={value!r}" for key, value in step.items() if key != "type")
        return [f"# The test data also went through {name}({options})."]
    if lines and "interpolation" in _OPTIONS[name] and step.get("backend", "cv2") != "pillow":
        lines = ["# mmpretrain resizes with OpenCV here: pixels differ a little.", *lines]
    return lines


def _nothing(step: Mapping[str, Any]) -> list[str]:
    return []


def _resize(step: Mapping[str, Any]) -> list[str] | None:
    scale, how = step.get("scale"), _resampling(step)
    if scale is None or how is None or set(step) - {"type", *_OPTIONS["Resize"]}:
        return None
    width, height = (scale, scale) if isinstance(scale, int) else scale
    return [f"image = image.resize(({width}, {height}), {how})"]


def _resize_edge(step: Mapping[str, Any]) -> list[str] | None:
    how, scale = _resampling(step), step["scale"]
    if how is None or step.get("edge", "short") != "short":
        return None
    return [
        "width, height = image.size",
        "short = min(width, height)",
        f"size = (width * {scale} // short, height * {scale} // short)",
        f"image = image.resize(size, {how})",
    ]


def _center_crop(step: Mapping[str, Any]) -> list[str] | None:
    size = step["crop_size"]
    width, height = (size, size) if isinstance(size, int) else size
    if set(step) - {"type", *_OPTIONS["CenterCrop"]}:
        return None
    return [
        f"left, top = round((image.width - {width}) / 2), round((image.height - {height}) / 2)",
        f"image = image.crop((left, top, left + {width}, top + {height}))",
    ]


def _resampling(step: Mapping[str, Any]) -> str | None:
    method = step.get("interpolation", "bilinear")
    return f"Image.Resampling.{method.upper()}" if method in _RESAMPLING else None


_CODE: dict[str, Callable[[Mapping[str, Any]], list[str] | None]] = {
    "LoadImageFromFile": _nothing,
    "PackInputs": _nothing,
    "RandomGrayscale": _nothing,  # Image.convert has done it.
    "Resize": _resize,
    "ResizeEdge": _resize_edge,
    "CenterCrop": _center_crop,
}
_OPTIONS: dict[str, tuple[str, ...]] = {
    "Resize": ("scale", "backend", "interpolation"),
    "ResizeEdge": ("scale", "edge", "backend", "interpolation"),
    "CenterCrop": ("crop_size",),
}
