# CRD without labels in its loss (ours); settings of CRD on ImageNet, HobbitLong/RepDistiller.
from cls_kd.losses import InstanceCRDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    crd=dict(type=InstanceCRDLoss, dim=128, negatives=16384, temperature=0.07, weight=0.8),
)
