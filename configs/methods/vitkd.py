# ImageNet, DeiT-Tiny and -Small with DeiT III teachers, as yzd-v/cls_KD. For vision transformers.
from cls_kd.losses import TaskLoss, ViTKDLoss

losses = dict(
    ce=dict(type=TaskLoss),
    vitkd=dict(type=ViTKDLoss, alpha=3e-5, beta=3e-6, mask_ratio=0.5),
)
