"""What importing the package imports: PyTorch users need neither MMEngine nor mmpretrain."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys

def imported():
    return {name.partition(".")[0] for name in sys.modules}

import cls_kd
assert not imported() & {"torch", "numpy", "mmengine"}, "cls_kd"
from cls_kd.losses import KDLoss
from cls_kd.losses.functional import kd_loss
import torch
heavy = {"mmengine", "mmcv", "mmpretrain", "torchvision", "transformers", "timm", "pandas", "rich"}
assert not imported() & heavy, imported() & heavy

def network():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3))

distiller = cls_kd.Distiller(network(), {"kd": KDLoss()}, network(), input_shape=(3, 2, 2))
distiller.total(distiller.loss(torch.zeros(2, 3, 2, 2))).backward()
assert not imported() & heavy, imported() & heavy
"""


def test_the_losses_and_the_distiller_import_pytorch_alone() -> None:
    result = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
