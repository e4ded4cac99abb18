# ImageNet, ResNet34 to ResNet18, as roymiles/Simple-Recipe-Distillation.
from cls_kd.losses import KDLoss, SRDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    srd=dict(type=SRDLoss, weight=2.0),
    kd=dict(type=KDLoss, temperature=1.0),
)
