# ImageNet, DeiT-Tiny with a DeiT III teacher; ViTKD as yzd-v/cls_KD, WTTM as wttm.py (ours).
from cls_kd.losses import TaskLoss, ViTKDLoss, WTTMLoss

losses = dict(
    ce=dict(type=TaskLoss),
    vitkd=dict(type=ViTKDLoss, alpha=3e-5, beta=3e-6, mask_ratio=0.5),
    wttm=dict(type=WTTMLoss, power=0.1, weight=45.0),
)
