# ImageNet, DeiT, as roymiles/Simple-Recipe-Distillation; the weight and eps (0 there) are ours.
from cls_kd.losses import SRDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    srd=dict(type=SRDLoss, form="correlation", eps=1e-5),
)
