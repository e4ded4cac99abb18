# ImageNet, Swin-L to ResNet50, as deep-optimization/ScaleKD; its heads there: 16 and 24.
from cls_kd.losses import KDLoss, ScaleKDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.5),
    kd=dict(type=KDLoss, temperature=1.0, weight=0.5),
    scalekd=dict(type=ScaleKDLoss, spatial_weight=0.08, frequency_weight=0.06),
)
