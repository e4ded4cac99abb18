# CIFAR-100, ResNet32x4 to ResNet8x4, as JiamingLv/WKD: cosine decay from epoch 150 of 240.
from cls_kd.losses import TaskLoss, WKDFeatureLoss
from cls_kd.modules import CosineDecay

losses = dict(
    ce=dict(type=TaskLoss),
    wkd=dict(type=WKDFeatureLoss, mean_weight=4.0, grid=1),
)
losses["wkd"].update(weight=dict(type=CosineDecay, start=150 / 240, value=0.08))
