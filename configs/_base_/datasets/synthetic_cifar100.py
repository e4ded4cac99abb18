"""10,000 synthetic images in CIFAR-100's format, 5,000 to test (docs/data.md).

python tools/make_synthetic.py cifar100 data/synthetic_cifar100 --train 10000 --test 5000
"""

from mmengine.config import read_base

with read_base():
    from .cifar100 import *

_written = dict(data_root="data/synthetic_cifar100", checksum=False)
train_dataloader["dataset"].update(_written)
val_dataloader["dataset"].update(_written)
test_dataloader["dataset"].update(_written)
