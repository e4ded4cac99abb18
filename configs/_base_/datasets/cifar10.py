"""CIFAR-10 in batches of 64.

Mean and standard deviation of the training images, as commonly published.

Made-up data of the same form, for a try: docs/data.md.
"""

from mmengine.dataset import DefaultSampler
from mmpretrain.datasets.transforms import PackInputs
from mmpretrain.evaluation import Accuracy

from cls_kd.data import CIFAR10, BatchPreprocessor, RandomCropFlip

data_preprocessor = dict(
    type=BatchPreprocessor,
    mean=[0.4914 * 255, 0.4822 * 255, 0.4465 * 255],
    std=[0.2470 * 255, 0.2435 * 255, 0.2616 * 255],
    num_classes=10,
    augment=dict(type=RandomCropFlip, padding=4),
)

train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type=DefaultSampler, shuffle=True),
    dataset=dict(
        type=CIFAR10,
        data_root="data/cifar10",
        split="train",
        checksum=True,
        pipeline=[dict(type=PackInputs)],
    ),
)
# There is no validation part: each epoch is measured on the test part, as the papers do. Report the
# last epoch, not the best one.
val_dataloader = dict(
    batch_size=500,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=CIFAR10,
        data_root="data/cifar10",
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
