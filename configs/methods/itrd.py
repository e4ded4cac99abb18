# CIFAR-100, as roymiles/ITRD; across families of networks: alpha=1.5, mutual_weight=0.05.
from cls_kd.losses import ITRDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    itrd=dict(type=ITRDLoss, alpha=1.01, correlation_weight=2.0, mutual_weight=1.0),
)
