# CIFAR-100, CRD with KD, as HobbitLong/RepDistiller's README: weights 0.8 and 1.
from cls_kd.losses import CRDLoss, KDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    kd=dict(type=KDLoss, temperature=4.0),
    crd=dict(type=CRDLoss, draws="distinct", weight=0.8),
)
