# CIFAR-100, WTTM with ITRD; weights are those that zkxufo/TTM and roymiles/ITRD have for the parts.
from cls_kd.losses import ITRDLoss, TaskLoss, WTTMLoss

losses = dict(
    ce=dict(type=TaskLoss),
    wttm=dict(type=WTTMLoss, power=0.2, weight=4.0),
    itrd=dict(type=ITRDLoss, alpha=1.01, correlation_weight=2.0, mutual_weight=1.0),
)
