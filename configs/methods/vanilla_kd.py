# ImageNet, as Hao840/vanillaKD: the labels' loss and KL at temperature 1, on long schedules
# (configs/pairs/imagenet/beitv2_base_resnet50.py).
from cls_kd.losses import KDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    kd=dict(type=KDLoss, temperature=1.0),
)
