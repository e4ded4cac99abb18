"""What distillation gains, in two minutes: a teacher, and students that see 100 of its images."""

from mmengine.config import read_base
from mmengine.dataset import RepeatDataset

from cls_kd.distillers import Distiller
from cls_kd.losses import KDLoss, NKDLoss, TaskLoss

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
    losses=dict(ce=dict(type=TaskLoss)),
)
# 100 labelled images, ten times an epoch: 20 steps an epoch, 400 in all.
few_images = dict(**train_dataloader["dataset"], labelled=100)
train_dataloader["dataset"] = dict(type=RepeatDataset, times=10, dataset=few_images)

seeds = list(range(10))
runs = [
    dict(
        name="teacher",
        model=dict(student=dict(_delete_=True, **digits_teacher), teacher=None),
        train_dataloader=dict(dataset=dict(times=1, dataset=dict(labelled=None))),
    ),
    dict(name="student", seeds=seeds, model=dict(teacher=None)),
    dict(
        name="kd",
        seeds=seeds,
        model=dict(losses=dict(ce=dict(weight=0.1), kd=dict(type=KDLoss, weight=0.9))),
    ),
    dict(
        name="nkd",
        seeds=seeds,
        model=dict(losses=dict(nkd=dict(type=NKDLoss, temperature=1.0, gamma=1.5))),
    ),
]
report = dict(
    baseline="student",
    references=["teacher"],
    title="Digits: a teacher of 1,135 images, students of 100 of them",
)
console_log_level = "WARNING"
# Each run takes seconds: only its end is kept. One thread is enough for networks this small.
default_hooks["checkpoint"].update(interval=20)
cpu_threads = 1
