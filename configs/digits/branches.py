"""Branches that learn together from 100 images, without a teacher.

cls-kd train digits/branches --method okdmde
"""

from mmengine.config import read_base
from mmengine.dataset import RepeatDataset
from mmpretrain.evaluation import Accuracy

from cls_kd.distillers import Distiller
from cls_kd.evaluation import PeerAccuracy
from cls_kd.losses import ClassifierDiversityLoss, EnsembleDistillationLoss, PeerTaskLoss

with read_base():
    from .._base_.datasets.digits import *
    from .._base_.runtime.default import *
    from .._base_.schedules.digits import *
    from ..networks.digits_branches import *

model = dict(
    type=Distiller,
    student=digits_branches,
    losses=dict(
        ce=dict(type=PeerTaskLoss),
        okdmde=dict(type=EnsembleDistillationLoss, detach=False),
        cd=dict(type=ClassifierDiversityLoss, weight=5e-8),
    ),
)
# As configs/digits/pair.py: 100 labeled images, ten times an epoch.
_few_images = dict(**train_dataloader["dataset"], labelled=100)
train_dataloader["dataset"] = dict(type=RepeatDataset, times=10, dataset=_few_images)
val_evaluator = [dict(type=Accuracy, topk=(1,)), dict(type=PeerAccuracy)]
test_evaluator = [dict(type=Accuracy, topk=(1,)), dict(type=PeerAccuracy)]

runs = {"{method}": dict()}
default_hooks["checkpoint"].update(interval=10)
cpu_threads = 1
method = "okdmde"
