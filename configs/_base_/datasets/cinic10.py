"""CINIC-10 in batches of 64: trained on train, validated on valid, tested once on test.

Mean and standard deviation as at github.com/BayesWatch/cinic-10. To train on train and valid:
``split='trainvalid'``, and another part to validate on.

Synthetic data of the same form, for a try: docs/data.md.
"""

from mmengine.config import read_base

from cls_kd.data import CINIC10

with read_base():
    from .cifar100 import *

data_preprocessor.update(
    mean=[0.4789 * 255, 0.4723 * 255, 0.4305 * 255],
    std=[0.2421 * 255, 0.2383 * 255, 0.2587 * 255],
    num_classes=10,
)
# CINIC-10 comes with no checksums.
train_dataloader["dataset"].pop("checksum")
val_dataloader["dataset"].pop("checksum")
train_dataloader["dataset"].update(type=CINIC10, data_root="data/cinic10")
val_dataloader["dataset"].update(type=CINIC10, data_root="data/cinic10")
test_dataloader = dict(val_dataloader, dataset=dict(val_dataloader["dataset"], split="test"))
val_dataloader["dataset"].update(split="valid")
