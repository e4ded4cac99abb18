# ImageNet, Szegedy et al. 2016 (arXiv:1512.00567): eps 0.1; eps/(K-1) elsewhere: eps K/(K-1) here.
from cls_kd.losses import LabelSmoothingLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.9),
    label_smoothing=dict(type=LabelSmoothingLoss, weight=0.1),
)
