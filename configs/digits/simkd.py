"""SimKD on the digits: the student projects its last map and reuses its teacher's classifier.

cls-kd train digits/simkd
"""

from mmengine.config import read_base
from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from cls_kd.distillers import TeacherClassifier
from cls_kd.losses import SimKDLoss
from cls_kd.models import ProjectedBackbone

with read_base():
    from .pair import *

model["student"] = dict(
    type=ImageClassifier,
    backbone=dict(
        type=ProjectedBackbone, backbone=digits_student["backbone"], out_channels=128, factor=2
    ),
    neck=dict(type=GlobalAveragePooling),
    head=dict(
        type=LinearClsHead,
        num_classes=10,
        in_channels=128,
        init_cfg=dict(type=TeacherClassifier, checkpoint="run:teacher"),
    ),
)
model["student_frozen"] = ("head",)
model["losses"] = dict(simkd=dict(type=SimKDLoss))
teacher["model"]["student_frozen"] = ()
runs = dict(teacher=teacher, simkd=dict())
method = "simkd"
