# CIFAR-100, CTKD on standardized logits, as sunshangquan/logit-standardization-KD: weight 9.
from cls_kd.losses import CTKDLoss, StandardizedLogitsLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.1),
    ctkd=dict(type=StandardizedLogitsLoss, loss=dict(type=CTKDLoss, ramp=10 / 240), weight=9.0),
)
