# CIFAR-100, Swin-T to ResNet18, as Hao840/OFAKD. At its eps of 1 the loss has KD's gradient at T 1.
from cls_kd.losses import KDLoss, OFAExitsLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    kd=dict(type=KDLoss, temperature=1.0),
    exits=dict(type=OFAExitsLoss, loss=dict(type=KDLoss, temperature=1.0)),
)
