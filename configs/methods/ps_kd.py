# CIFAR-100 and ImageNet, as lgcnsai/PS-KD-Pytorch; its targets take the place of the labels.
from cls_kd.losses import PSKDLoss

losses = dict(ps_kd=dict(type=PSKDLoss, alpha=0.8))
