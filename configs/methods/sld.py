# CIFAR-100, as StephenEkaputra/Swapped-Logit-Distillation on one view, where it has two.
from cls_kd.losses import SLDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.1),
    sld=dict(type=SLDLoss, weight=0.9),
)
