"""CIFAR-100 in batches of 64, normalized as in HobbitLong/RepDistiller (CRD, arXiv:1910.10699).

Synthetic data of the same form, for a try: docs/data.md.
"""

from mmengine.dataset import DefaultSampler
from mmpretrain.datasets.transforms import PackInputs
from mmpretrain.evaluation import Accuracy

from cls_kd.data import CIFAR100, BatchPreprocessor, RandomCropFlip

data_preprocessor = dict(
    type=BatchPreprocessor,
    mean=[0.5071 * 255, 0.4867 * 255, 0.4408 * 255],
    std=[0.2675 * 255, 0.2565 * 255, 0.2761 * 255],
    num_classes=100,
    augment=dict(type=RandomCropFlip, padding=4),
)

train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type=DefaultSampler, shuffle=True),
    dataset=dict(
        type=CIFAR100,
        data_root="data/cifar100",
        split="train",
        checksum=True,
        pipeline=[dict(type=PackInputs)],
    ),
)
# There is no validation split: each epoch is measured on the test split, as the papers do. Report
# the last epoch, not the best one.
val_dataloader = dict(
    batch_size=500,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=CIFAR100,
        data_root="data/cifar100",
        split="test",
        checksum=True,
        test_mode=True,
        pipeline=[dict(type=PackInputs)],
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type=Accuracy, topk=(1, 5))
test_evaluator = dict(type=Accuracy, topk=(1, 5))
val_cfg = dict()
test_cfg = dict()
