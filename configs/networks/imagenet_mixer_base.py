"""MLP-Mixer-B/16, of mmpretrain's mlp-mixer-base-p16_3rdparty_64xb64_in1k (76.68)."""

from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead, MlpMixer

imagenet_mixer_base = dict(
    type=ImageClassifier,
    backbone=dict(type=MlpMixer, arch="b", img_size=224, patch_size=16, drop_rate=0.1),
    neck=dict(type=GlobalAveragePooling, dim=1),
    head=dict(type=LinearClsHead, num_classes=1000, in_channels=768),
)
