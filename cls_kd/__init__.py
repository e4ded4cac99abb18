"""Knowledge distillation for image classification: in plain PyTorch, or from configs.

The names below are loaded when they are first used: ``import cls_kd`` imports nothing else, and
those of the first group need PyTorch alone.
"""

import os as _os
from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cls_kd import functional as functional
    from cls_kd import losses as losses
    from cls_kd import optimizers as optimizers
    from cls_kd.core import Distiller as Distiller
    from cls_kd.core import Teacher as Teacher
    from cls_kd.core import Term as Term
    from cls_kd.engine import load_config as load_config
    from cls_kd.engine import train_runs as train_runs
    from cls_kd.engine.predict import load_student as load_student
    from cls_kd.engine.predict import predict as predict
    from cls_kd.engine.train import train as train
    from cls_kd.errors import UserError as UserError
    from cls_kd.losses import DistillLoss as DistillLoss
    from cls_kd.runs import plan as plan
    from cls_kd.signals import TrainingTime as TrainingTime
    from cls_kd.signals import find_taps as find_taps


__version__ = "0.1.0"

# Images of more pixels are refused, as by Pillow; OpenCV's own bound is six times as many, 3 GB in
# memory for an image of 3 MB on the disk. It is read when OpenCV is imported.
_os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(178_956_970))

_EXPORTS = {
    # PyTorch alone
    "Distiller": "cls_kd.core:Distiller",
    "Teacher": "cls_kd.core:Teacher",
    "Term": "cls_kd.core:Term",
    "TrainingTime": "cls_kd.signals:TrainingTime",
    "find_taps": "cls_kd.signals:find_taps",
    "DistillLoss": "cls_kd.losses:DistillLoss",
    "losses": "cls_kd.losses:",
    "functional": "cls_kd.functional:",
    "optimizers": "cls_kd.optimizers:",
    "UserError": "cls_kd.errors:UserError",
    # MMEngine
    "load_config": "cls_kd.engine:load_config",
    "plan": "cls_kd.runs:plan",
    "train": "cls_kd.engine:train",
    "train_runs": "cls_kd.engine:train_runs",
    "load_student": "cls_kd.engine.predict:load_student",
    "predict": "cls_kd.engine.predict:predict",
}

__all__ = [*_EXPORTS, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module_name, _, attribute = _EXPORTS[name].partition(":")
    module = _import_module(module_name)
    value = getattr(module, attribute) if attribute else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
