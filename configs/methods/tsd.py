# CIFAR-100 and ImageNet, first generation, as reviews of arXiv:1805.05551 tell: eta 0.6, k 5.
from cls_kd.losses import TaskLoss, TSDLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.6),
    tsd=dict(type=TSDLoss, k=5, weight=0.4),
)
