"""NORM on the digits: the student's last map is expanded to several of the teacher's.

cls-kd train digits/norm
"""

from mmengine.config import read_base

from cls_kd.losses import NORMLoss, TaskLoss
from cls_kd.models import NToOneClassifier

with read_base():
    from .pair import *

model["student"] = dict(**{**digits_student, "type": NToOneClassifier}, teacher_channels=128, n=4)
model["losses"] = dict(ce=dict(type=TaskLoss, weight=0.5), norm=dict(type=NORMLoss))
method = "norm"
