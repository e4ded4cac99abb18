# CIFAR-100, ResNet18, as winycg/Self-KD-Lib meant it: its two scripts differ.
from cls_kd.data import MixtureViews
from cls_kd.losses import MixSKDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    mixskd=dict(type=MixSKDLoss, temperature=3.0),
)
train_data = dict(wrapper=dict(type=MixtureViews, alpha=0.4))
