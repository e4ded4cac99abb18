# CIFAR-100, as sunshangquan/logit-standardization-KD: temperature 2, weight 9 (CE as in KD).
from cls_kd.losses import KDLoss, StandardizedLogitsLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.1),
    kd=dict(type=StandardizedLogitsLoss, loss=dict(type=KDLoss, temperature=2.0), weight=9.0),
)
