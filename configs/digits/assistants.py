"""A teacher, two assistants between it and the student, and students by one or by all of them.

cls-kd train digits/assistants
TAKD (Mirzadeh et al. 2020) is the chain; DGKD (Son et al. 2021) is taught by the whole of it.
"""

from mmengine.config import read_base
from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from cls_kd.losses import DGKDLoss, TaskLoss
from cls_kd.models import DigitsCNN

with read_base():
    from .pair import *

_large, _small = (
    dict(
        type=ImageClassifier,
        backbone=dict(type=DigitsCNN, widths=widths),
        neck=dict(type=GlobalAveragePooling),
        head=dict(type=LinearClsHead, num_classes=10, in_channels=widths[-1]),
    )
    for widths in ((16, 32, 64), (8, 16, 32))
)
_by_teacher = dict(network=digits_teacher, weights="run:teacher")
_by_large = dict(network=_large, weights="run:large")
_by_small = dict(network=_small, weights="run:small")
_dense = dict(
    _delete_=True,
    ce=dict(type=TaskLoss, weight=0.1),
    dgkd=dict(type=DGKDLoss, dropped=1, weight=0.9 / 2),
)
runs = dict(
    teacher=teacher,
    large=dict(model=dict(student=dict(_delete_=True, **_large), teacher=_by_teacher)),
    small=dict(model=dict(student=dict(_delete_=True, **_small), teacher=_by_large)),
    kd=dict(model=dict(teacher=_by_teacher)),
    takd=dict(model=dict(teacher=_by_small)),
    dgkd=dict(model=dict(teacher=[_by_teacher, _by_large, _by_small], losses=_dense)),
)
