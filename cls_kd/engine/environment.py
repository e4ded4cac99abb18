"""The machine and the versions that a run was made with, as facts of its result."""

from __future__ import annotations

import platform
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

import cls_kd

_PACKAGES = ("torch", "torchvision", "numpy")
# OpenMMLab's packages are installed under one of two sets of names; see pyproject.toml.
_MODULES = ("mmengine", "mmcv", "mmpretrain")


def environment() -> dict[str, str]:
    """Versions, operating system and device; no name of the machine or of its user.

    Two runs in the same environment have the same facts.
    """
    return {
        "cls_kd": cls_kd.__version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
        **{name: _module_version(name) for name in _MODULES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "device": _device(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _module_version(name: str) -> str:
    return str(getattr(import_module(name), "__version__", "unknown"))


def _device() -> str:
    if not torch.cuda.is_available():
        return "CPU"
    return f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"


def _processor() -> str:
    """Linux alone names the model in a file; elsewhere it is what Python knows."""
    file = Path("/proc/cpuinfo")
    lines = (
        file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
    )
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())
