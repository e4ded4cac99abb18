# ImageNet, for students that keep tokens (DeiT-T, Swin-T, ResMLP-S12), as Hao840/OFAKD.
from cls_kd.losses import OFALoss, OFATokenExitsLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    ofa=dict(type=OFALoss, eps=1.0),
    exits=dict(type=OFATokenExitsLoss, loss=dict(type=OFALoss, eps=1.0)),
)
