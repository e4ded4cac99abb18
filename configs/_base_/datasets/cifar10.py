"""CIFAR-10 in batches of 64, with the mean and standard deviation of its training images.

Synthetic data of the same form, for a try: docs/data.md.
"""

from mmengine.config import read_base

from cls_kd.data import CIFAR10

with read_base():
    from .cifar100 import *

data_preprocessor.update(
    mean=[0.4914 * 255, 0.4822 * 255, 0.4465 * 255],
    std=[0.2470 * 255, 0.2435 * 255, 0.2616 * 255],
    num_classes=10,
)
train_dataloader["dataset"].update(type=CIFAR10, data_root="data/cifar10")
val_dataloader["dataset"].update(type=CIFAR10, data_root="data/cifar10")
test_dataloader = val_dataloader
