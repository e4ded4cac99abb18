# CIFAR-100, as megvii-research/zipfls; TinyImageNet: weight 1.
from cls_kd.losses import TaskLoss, ZipfLoss

losses = dict(
    ce=dict(type=TaskLoss),
    zipf=dict(type=ZipfLoss, power=1.0, weight=0.1),
)
