# ImageNet, ResNet34 to ResNet18, as hunto/image_classification_sota: last map and logits.
from cls_kd.losses import DiffKDLogitLoss, DiffKDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    diffkd=dict(type=DiffKDLoss, autoencoder_channels=1024),
    diffkd_logits=dict(type=DiffKDLogitLoss, temperature=1.0),
)
