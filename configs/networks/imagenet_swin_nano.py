"""Swin-N of Hao840/OFAKD: two blocks a stage, from 64 channels; smoothed labels."""

from mmengine.config import read_base

with read_base():
    from .imagenet_swin_tiny import *

imagenet_swin_nano = imagenet_swin_tiny
imagenet_swin_nano["backbone"].update(
    arch=dict(embed_dims=64, depths=[2, 2, 2, 2], num_heads=[2, 4, 8, 16]), drop_path_rate=0.0
)
imagenet_swin_nano["head"].update(in_channels=512)
del imagenet_swin_tiny
