# CIFAR-100, as clovaai/attention-feature-distillation.
from cls_kd.losses import AFDLoss, KDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    kd=dict(type=KDLoss, temperature=4.0, weight=0.9),
    afd=dict(type=AFDLoss, weight=200.0),
)
