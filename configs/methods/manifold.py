# ImageNet, CaiT-S24 to DeiT-Tiny, as Hao840/manifold-distillation. For vision transformers.
from cls_kd.losses import KDLoss, ManifoldLoss

losses = dict(
    kd=dict(type=KDLoss, temperature=1.0),
    manifold=dict(type=ManifoldLoss, w_sample=0.1, w_patch=4.0, w_rand=0.2, k=192),
)
