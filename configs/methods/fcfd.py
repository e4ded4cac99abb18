# CIFAR-100, ResNet32x4 to ResNet8x4, as LiuDongyang6/FCFD; ResNet56 to ResNet20: weight 0.02.
from cls_kd.losses import FCFDLoss, KDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    kd=dict(type=KDLoss, temperature=4.0),
    fcfd=dict(type=FCFDLoss, paths=2, temperature=4.0, appearance_weight=5.0),
)
