"""ImageNet-1k as mmpretrain trains ResNets: images decoded and resized by OpenCV, bilinear.

Folders: data/imagenet/{train,val}/<class>/*.JPEG (docs/benchmarks.md). 32 images a GPU, for 8 GPUs.
"""

from mmengine.dataset import DefaultSampler
from mmpretrain.datasets import ImageNet
from mmpretrain.datasets.transforms import (
    CenterCrop,
    LoadImageFromFile,
    PackInputs,
    RandomFlip,
    RandomResizedCrop,
    ResizeEdge,
)
from mmpretrain.evaluation import Accuracy

from cls_kd.data import BatchPreprocessor

data_preprocessor = dict(
    type=BatchPreprocessor,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
    num_classes=1000,
)
train_dataloader = dict(
    batch_size=32,
    num_workers=5,
    sampler=dict(type=DefaultSampler, shuffle=True),
    dataset=dict(
        type=ImageNet,
        data_root="data/imagenet",
        split="train",
        pipeline=[
            dict(type=LoadImageFromFile),
            dict(type=RandomResizedCrop, scale=224, backend="cv2", interpolation="bilinear"),
            dict(type=RandomFlip, prob=0.5, direction="horizontal"),
            dict(type=PackInputs),
        ],
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=5,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=ImageNet,
        data_root="data/imagenet",
        split="val",
        test_mode=True,
        pipeline=[
            dict(type=LoadImageFromFile),
            dict(type=ResizeEdge, scale=256, edge="short", backend="cv2", interpolation="bilinear"),
            dict(type=CenterCrop, crop_size=224),
            dict(type=PackInputs),
        ],
    ),
)
val_evaluator = dict(type=Accuracy, topk=(1, 5))
val_cfg = dict()
