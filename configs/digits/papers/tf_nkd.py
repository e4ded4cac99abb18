"""tf-NKD and USKD, which need no teacher, against cross-entropy, twice of it and smoothed labels.

Settings were chosen on the validation split, with other seeds; the test split is looked at once,
after each run. docs/papers/nkd.md says what came out.
"""

from mmengine.config import read_base

from cls_kd.data import LabelSmoothing
from cls_kd.losses import TaskLoss, TfNKDLoss, USKDLoss

with read_base():
    from ..pair import *

seeds = list(range(10))
ce = dict(type=TaskLoss)
smoothed = dict(batch_augments=dict(augments=dict(type=LabelSmoothing, epsilon=0.1)))
model["teacher"], model["losses"] = None, dict(ce=ce)
# The control of tf_nkd, which is about the cross-entropy once more.
twice = dict(ce=dict(type=TaskLoss, weight=2.0))
tf_nkd = dict(tf_nkd=dict(type=TfNKDLoss))
uskd = dict(uskd=dict(type=USKDLoss, alpha=1.0, beta=0.1, mu=0.005))
runs = [
    dict(name="ce", seeds=seeds),
    dict(name="twice_ce", seeds=seeds, model=dict(losses=twice)),
    dict(name="label_smoothing", seeds=seeds, data_preprocessor=smoothed),
    dict(name="tf_nkd", seeds=seeds, model=dict(losses=tf_nkd)),
    dict(name="uskd", seeds=seeds, model=dict(losses=uskd)),
]
report = dict(baseline="ce", title="Digits: students of 100 images that teach themselves")
pairs = [("tf_nkd", "twice_ce"), ("uskd", "twice_ce"), ("tf_nkd", "label_smoothing")]
analyses = [dict(type="comparisons", pairs=[*pairs, ("uskd", "label_smoothing")])]
default_hooks["checkpoint"].update(interval=20)
train_cfg.update(val_interval=2)
console_log_level = "ERROR"
