"""A teacher, and a student that sees 100 of its images.

cls-kd train digits/pair --method nkd
"""

from mmengine.config import read_base
from mmengine.dataset import RepeatDataset
from mmpretrain.datasets.transforms import PackInputs

from cls_kd.distillers import Distiller
from cls_kd.losses import KDLoss, TaskLoss

with read_base():
    from .._base_.datasets.digits import *
    from .._base_.runtime.default import *
    from .._base_.schedules.digits import *
    from ..networks.digits_student import *
    from ..networks.digits_teacher import *

model = dict(
    type=Distiller,
    student=digits_student,
    teacher=dict(network=digits_teacher, weights="run:teacher"),
    losses=dict(ce=dict(type=TaskLoss, weight=0.1), kd=dict(type=KDLoss, weight=0.9)),
)
# 100 labeled images, ten times an epoch: 20 steps an epoch, 400 in all.
_few_images = dict(**train_dataloader["dataset"], labelled=100)
train_dataloader["dataset"] = dict(type=RepeatDataset, times=10, dataset=_few_images)

# The teacher sees all 1,135 images as they are; shifted ones made it a worse teacher.
_all_images = dict(labelled=None, pipeline=[dict(type=PackInputs)])
teacher = dict(
    model=dict(
        student=dict(_delete_=True, **digits_teacher),
        teacher=None,
        losses=dict(_delete_=True, ce=dict(type=TaskLoss)),
    ),
    train_dataloader=dict(dataset=dict(times=1, dataset=_all_images)),
)
runs = {"teacher": teacher, "{method}": dict()}

default_hooks["checkpoint"].update(interval=10)
# One thread is enough for networks this small.
cpu_threads = 1
method = "kd"
