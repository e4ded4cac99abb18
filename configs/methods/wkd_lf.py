# CIFAR-100, ResNet32x4 to ResNet8x4, as JiamingLv/WKD, but for the classifier's cost (fc).
from cls_kd.losses import TaskLoss, WKDFeatureLoss, WKDLogitLoss
from cls_kd.modules import CosineDecay

losses = dict(
    ce=dict(type=TaskLoss),
    logit=dict(type=WKDLogitLoss, gamma=200.0, temperature=8.0),
    feature=dict(type=WKDFeatureLoss, mean_weight=8.0, grid=1),
)
losses["feature"].update(weight=dict(type=CosineDecay, start=150 / 240, value=0.08))
