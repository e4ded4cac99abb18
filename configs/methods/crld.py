# CIFAR-100, ResNet32x4 to ResNet8x4, as haiduo/DeepKD, but for RandAugment, torchvision's here.
from cls_kd.data import StrongViews
from cls_kd.losses import CRLDLoss, ViewTaskLoss

losses = dict(
    ce=dict(type=ViewTaskLoss),
    crld=dict(type=CRLDLoss, within_weight=2.0, cross_weight=0.5, temperature=4.0),
)
train_data = dict(wrapper=dict(type=StrongViews))
