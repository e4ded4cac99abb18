"""Chains that see the digits 0 to 4 alone: what is their embedding worth on 5 to 9?

cls-kd train digits/papers/generations_transfer
"""

from mmengine.config import read_base
from mmpretrain.datasets.transforms import PackInputs

from cls_kd.data import Digits

with read_base():
    from .generations import *

# 50 images, twenty times an epoch: as many steps as with all ten digits.
_seen, _others = [0, 1, 2, 3, 4], [5, 6, 7, 8, 9]
train_dataloader["dataset"].update(times=20)
train_dataloader["dataset"]["dataset"].update(labelled=50, only=_seen)
val_dataloader["dataset"].update(only=_seen)
test_dataloader["dataset"].update(only=_seen)
model["student"]["head"].update(num_classes=5)
data_preprocessor.update(num_classes=5)

runs = {name: runs[name] for name in ("strict", "tsd")}
report.update(title="Digits 0 to 4: generations of one network on 50 images")
_unseen = dict(type=Digits, only=_others, pipeline=[dict(type=PackInputs)])
analyses = [
    dict(type="generations", baseline="strict_0"),
    dict(
        type="generation_transfer",
        baseline="strict_0",
        train=dict(**_unseen, split="train"),
        test=dict(**_unseen, split="test"),
    ),
]
