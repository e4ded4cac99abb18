"""Synthetic CIFAR-100, ResNet-20 to ResNet-8: some minutes a run on one core.

python tools/make_synthetic.py cifar100 data/synthetic_cifar100 --train 10000 --test 5000
cls-kd train synthetic/pair --method nkd --amp
"""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.synthetic_cifar100 import *
    from .._base_.runtime.default import *
    from .._base_.schedules.sgd_cosine import *
    from ..networks.cifar_resnet8 import *
    from ..networks.cifar_resnet20 import *

from cls_kd.distillers import Distiller
from cls_kd.losses import KDLoss, TaskLoss

_epochs = 8
optim_wrapper["optimizer"].update(lr=0.1, weight_decay=5e-4)
train_cfg.update(max_epochs=_epochs, val_interval=_epochs)
default_hooks["checkpoint"].update(interval=_epochs)

model = dict(
    type=Distiller,
    student=cifar_resnet8,
    teacher=dict(network=cifar_resnet20, weights="run:teacher"),
    losses=dict(
        ce=dict(type=TaskLoss, weight=0.1), kd=dict(type=KDLoss, temperature=4.0, weight=0.9)
    ),
)
teacher = dict(
    model=dict(
        student=dict(_delete_=True, **cifar_resnet20),
        teacher=None,
        losses=dict(_delete_=True, ce=dict(type=TaskLoss)),
    )
)
runs = {"teacher": teacher, "{method}": dict()}
cpu_threads = 1
method = "kd"
