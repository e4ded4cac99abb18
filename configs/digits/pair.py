"""A teacher and its student: tools/train.py configs/digits/pair.py --method nkd."""

from mmengine.config import read_base

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
    losses=dict(ce=dict(type=TaskLoss), kd=dict(type=KDLoss, temperature=4.0)),
)

runs = [
    dict(
        name="teacher",
        model=dict(
            student=dict(_delete_=True, **digits_teacher),
            teacher=None,
            losses=dict(_delete_=True, ce=dict(type=TaskLoss)),
        ),
    ),
    dict(name="{method}"),
]
