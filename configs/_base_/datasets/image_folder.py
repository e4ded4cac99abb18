"""Images of your own in folders, one folder a class: ROOT/train/<class>/*.jpg, ROOT/val/<class>/*.

A config says where, once (docs/own_data_and_model.md):
    train_dataloader["dataset"]["data_root"] = val_dataloader["dataset"]["data_root"] = "data/..."
Mean and standard deviation are ImageNet's, in RGB.
"""

from mmengine.dataset import DefaultSampler
from mmpretrain.datasets import CustomDataset
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
)

train_dataloader = dict(
    batch_size=64,
    num_workers=4,
    sampler=dict(type=DefaultSampler, shuffle=True),
    dataset=dict(
        type=CustomDataset,
        data_root="",
        data_prefix="train",
        pipeline=[
            dict(type=LoadImageFromFile),
            dict(type=RandomResizedCrop, scale=224, backend="pillow", interpolation="bicubic"),
            dict(type=RandomFlip, prob=0.5, direction="horizontal"),
            dict(type=PackInputs),
        ],
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=4,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=CustomDataset,
        data_root="",
        data_prefix="val",
        test_mode=True,
        pipeline=[
            dict(type=LoadImageFromFile),
            dict(
                type=ResizeEdge,
                scale=256,
                edge="short",
                backend="pillow",
                interpolation="bicubic",
            ),
            dict(type=CenterCrop, crop_size=224),
            dict(type=PackInputs),
        ],
    ),
)

val_evaluator = dict(type=Accuracy, topk=(1,))
val_cfg = dict()
