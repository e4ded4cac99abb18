# CIFAR-100, VGG13 to VGG8, WTTM with CRD, as zkxufo/TTM's README.
from cls_kd.losses import CRDLoss, TaskLoss, WTTMLoss

losses = dict(
    ce=dict(type=TaskLoss),
    wttm=dict(type=WTTMLoss, power=0.2, weight=4.0),
    crd=dict(type=CRDLoss, draws="distinct", weight=0.8),
)
