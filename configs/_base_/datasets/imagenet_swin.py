"""ImageNet-1k as mmpretrain trains Swin and DeiT: Pillow, bicubic, RandAugment, erasing, mixing.

One of mixup and CutMix is drawn for each batch. 64 images a GPU, for 16 GPUs.
"""

from mmengine.config import read_base
from mmpretrain.datasets.transforms import RandAugment, RandomErasing
from mmpretrain.models import CutMix, Mixup

with read_base():
    from .imagenet_cv2 import *

data_preprocessor.update(
    batch_augments=dict(augments=[dict(type=Mixup, alpha=0.8), dict(type=CutMix, alpha=1.0)])
)
train_dataloader["dataset"]["pipeline"][1].update(backend="pillow", interpolation="bicubic")
train_dataloader["dataset"]["pipeline"][3:3] = [
    dict(
        type=RandAugment,
        policies="timm_increasing",
        num_policies=2,
        total_level=10,
        magnitude_level=9,
        magnitude_std=0.5,
        hparams=dict(pad_val=[104, 116, 124], interpolation="bicubic"),
    ),
    dict(
        type=RandomErasing,
        erase_prob=0.25,
        mode="rand",
        min_area_ratio=0.02,
        max_area_ratio=1 / 3,
        fill_color=[103.53, 116.28, 123.675],
        fill_std=[57.375, 57.12, 58.395],
    ),
]
val_dataloader["dataset"]["pipeline"][1].update(backend="pillow", interpolation="bicubic")
train_dataloader.update(batch_size=64)
