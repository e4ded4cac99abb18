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

large, small = (
    dict(
        type=ImageClassifier,
        backbone=dict(type=DigitsCNN, widths=widths),
        neck=dict(type=GlobalAveragePooling),
        head=dict(type=LinearClsHead, num_classes=10, in_channels=widths[-1]),
    )
    for widths in ((16, 32, 64), (8, 16, 32))
)
by_teacher = dict(network=digits_teacher, weights="run:teacher")
by_large = dict(network=large, weights="run:large")
by_small = dict(network=small, weights="run:small")
dense = dict(
    _delete_=True,
    ce=dict(type=TaskLoss, weight=0.1),
    dgkd=dict(type=DGKDLoss, dropped=1, weight=0.9 / 2),
)
runs = [
    teacher,
    dict(name="large", model=dict(student=dict(_delete_=True, **large), teacher=by_teacher)),
    dict(name="small", model=dict(student=dict(_delete_=True, **small), teacher=by_large)),
    dict(name="kd", model=dict(teacher=by_teacher)),
    dict(name="takd", model=dict(teacher=by_small)),
    dict(name="dgkd", model=dict(teacher=[by_teacher, by_large, by_small], losses=dense)),
]
# What no run is made of is not part of the config.
del large, small, by_teacher, by_large, by_small, dense
