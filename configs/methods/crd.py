# CIFAR-100, as HobbitLong/RepDistiller's scripts; ImageNet: draws="independent".
from cls_kd.losses import CRDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    crd=dict(type=CRDLoss, dim=128, negatives=16384, temperature=0.07, momentum=0.5, weight=0.8),
)
losses["crd"].update(draws="distinct")
