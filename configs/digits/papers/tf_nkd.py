"""tf-NKD and USKD, which need no teacher, against cross-entropy, twice of it and smoothed labels.

Settings were chosen on the validation split, with other seeds; the test split is looked at once,
after each run. docs/papers/nkd.md says what came out.
"""

from mmengine.config import read_base

from cls_kd.data import LabelSmoothing
from cls_kd.losses import TaskLoss

with read_base():
    from ..pair import *

_seeds = list(range(10))
_smoothed = dict(batch_augments=dict(augments=dict(type=LabelSmoothing, epsilon=0.1)))
model["teacher"], model["losses"] = None, dict(ce=dict(type=TaskLoss))
runs = dict(
    ce=dict(seeds=_seeds),
    # The control of tf_nkd, which is about the cross-entropy once more.
    twice_ce=dict(method="twice_ce", seeds=_seeds),
    label_smoothing=dict(seeds=_seeds, data_preprocessor=_smoothed),
    tf_nkd=dict(method="tf_nkd", seeds=_seeds),
    uskd=dict(
        method="uskd",
        seeds=_seeds,
        model=dict(losses=dict(uskd=dict(alpha=1.0, beta=0.1, mu=0.005))),
    ),
)
report = dict(baseline="ce", title="Digits: students of 100 images that teach themselves")
_pairs = [("tf_nkd", "twice_ce"), ("uskd", "twice_ce"), ("tf_nkd", "label_smoothing")]
analyses = [dict(type="comparisons", pairs=[*_pairs, ("uskd", "label_smoothing")])]
default_hooks["checkpoint"].update(interval=20)
train_cfg.update(val_interval=2)
console_log_level = "ERROR"
