"""Digits: 1,797 real gray 8x8 images, bundled with scikit-learn.

Mean and standard deviation of the train split:
    python -c "import numpy as np; from cls_kd.data import BatchPreprocessor, Digits; \
    x = np.stack([item['img'] for item in Digits('train')]); print(x.mean(), x.std())"
"""

from mmengine.dataset import DefaultSampler
from mmpretrain.datasets.transforms import PackInputs
from mmpretrain.evaluation import Accuracy

from cls_kd.data import BatchPreprocessor, Digits, RandomShift

data_preprocessor = dict(type=BatchPreprocessor, mean=[77.713], std=[95.724], num_classes=10)

train_dataloader = dict(
    batch_size=50,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type=DefaultSampler, shuffle=True),
    dataset=dict(
        type=Digits,
        split="train",
        pipeline=[
            dict(type=RandomShift, pixels=1),
            dict(type=PackInputs),
        ],
    ),
)
val_dataloader = dict(
    batch_size=250,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(type=Digits, split="val", test_mode=True, pipeline=[dict(type=PackInputs)]),
)
test_dataloader = dict(
    batch_size=250,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(type=Digits, split="test", test_mode=True, pipeline=[dict(type=PackInputs)]),
)

val_evaluator = dict(type=Accuracy, topk=(1,))
test_evaluator = dict(type=Accuracy, topk=(1,))
val_cfg = dict()
test_cfg = dict()
