# ImageNet, the last stage of ScaleKD alone: Swin-L to ResNet50, as deep-optimization/ScaleKD.
from cls_kd.losses import KDLoss, ScaleKDFeatureLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.5),
    kd=dict(type=KDLoss, temperature=1.0, weight=0.5),
    scalekd=dict(type=ScaleKDFeatureLoss, spatial_weight=0.08, frequency_weight=0.06),
)
