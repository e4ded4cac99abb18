"""ImageNet-1k by torchvision's transforms: decoded and resized by Pillow, bilinear, antialiased.

So megvii-research/mdistiller, hunto/image_classification_sota, jingyang2017/KD_SRRL and
bellymonster/Weighted-Soft-Label-Distillation. 32 images a GPU, for 8 GPUs.
"""

from mmengine.config import read_base
from mmpretrain.datasets.transforms import LoadImageFromFile, NumpyToPIL, PackInputs, PILToNumpy

with read_base():
    from .imagenet_cv2 import *

train_dataloader["dataset"]["pipeline"] = [
    dict(
        type=LoadImageFromFile,
        imdecode_backend="pillow",
        color_type="color_ignore_orientation",
    ),
    dict(type=NumpyToPIL, to_rgb=True),
    dict(type="torchvision/RandomResizedCrop", size=224),
    dict(type="torchvision/RandomHorizontalFlip", p=0.5),
    dict(type=PILToNumpy, to_bgr=True),
    dict(type=PackInputs),
]
val_dataloader["dataset"]["pipeline"] = [
    dict(
        type=LoadImageFromFile,
        imdecode_backend="pillow",
        color_type="color_ignore_orientation",
    ),
    dict(type=NumpyToPIL, to_rgb=True),
    dict(type="torchvision/Resize", size=256),
    dict(type="torchvision/CenterCrop", size=224),
    dict(type=PILToNumpy, to_bgr=True),
    dict(type=PackInputs),
]
