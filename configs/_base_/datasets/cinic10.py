"""CINIC-10 in batches of 64: trained on train, validated on valid, tested once on test.

Mean and standard deviation as at github.com/BayesWatch/cinic-10.

Made-up data of the same form, for a try: docs/data.md.
"""

from mmengine.dataset import DefaultSampler
from mmpretrain.datasets.transforms import PackInputs
from mmpretrain.evaluation import Accuracy

from cls_kd.data import CINIC10, BatchPreprocessor, RandomCropFlip

data_preprocessor = dict(
    type=BatchPreprocessor,
    mean=[0.4789 * 255, 0.4723 * 255, 0.4305 * 255],
    std=[0.2421 * 255, 0.2383 * 255, 0.2587 * 255],
    num_classes=10,
    augment=dict(type=RandomCropFlip, padding=4),
)

train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type=DefaultSampler, shuffle=True),
    dataset=dict(
        type=CINIC10,
        data_root="data/cinic10",
        split="train",
        pipeline=[dict(type=PackInputs)],
    ),
)
val_dataloader = dict(
    batch_size=500,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=CINIC10,
        data_root="data/cinic10",
        split="valid",
        test_mode=True,
        pipeline=[dict(type=PackInputs)],
    ),
)
test_dataloader = dict(
    batch_size=500,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=CINIC10,
        data_root="data/cinic10",
        split="test",
        test_mode=True,
        pipeline=[dict(type=PackInputs)],
    ),
)

val_evaluator = dict(type=Accuracy, topk=(1, 5))
test_evaluator = dict(type=Accuracy, topk=(1, 5))
val_cfg = dict()
test_cfg = dict()
