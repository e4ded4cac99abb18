# CIFAR-100, as zhangchbin/OnlineLabelSmoothing.
from cls_kd.losses import OnlineLabelSmoothingLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.5),
    ols=dict(type=OnlineLabelSmoothingLoss, weight=0.5),
)
