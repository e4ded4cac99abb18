"""ImageNet-1k as mmpretrain trains MobileNetV2 and ShuffleNetV2: resized by Pillow, bilinear."""

from mmengine.config import read_base

with read_base():
    from .imagenet_cv2 import *

train_dataloader["dataset"]["pipeline"][1].update(backend="pillow")
val_dataloader["dataset"]["pipeline"][1].update(backend="pillow")
