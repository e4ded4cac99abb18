# CIFAR-100, as luanyunteng/pytorch-be-your-own-teacher, a third party's code.
from cls_kd.losses import BYOTLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.9),
    byot=dict(type=BYOTLoss, temperature=3.0, logit_weight=0.1, feature_weight=1e-6),
)
