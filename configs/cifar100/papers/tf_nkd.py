"""tf-NKD and USKD, which need no teacher, against twice the cross-entropy: ResNet-18, three seeds.

Settings of yzd-v/cls_KD (arXiv:2208.10139, arXiv:2303.13005).
"""

from mmengine.config import read_base

from cls_kd.data import LabelSmoothing
from cls_kd.losses import TaskLoss, TfNKDLoss, USKDLoss

with read_base():
    from ...pairs.cifar100.resnet18 import *

seeds = [0, 1, 2]
smoothed = dict(batch_augments=dict(augments=dict(type=LabelSmoothing, epsilon=0.1)))
# The control of tf_nkd, which is about the cross-entropy once more.
twice = dict(ce=dict(type=TaskLoss, weight=2.0))
tf_nkd = dict(tf_nkd=dict(type=TfNKDLoss))
uskd = dict(uskd=dict(type=USKDLoss, alpha=0.1, beta=0.1, mu=0.1))
runs = [
    dict(name="ce", seeds=seeds),
    dict(name="twice_ce", seeds=seeds, model=dict(losses=twice)),
    dict(name="label_smoothing", seeds=seeds, data_preprocessor=smoothed),
    dict(name="tf_nkd", seeds=seeds, model=dict(losses=tf_nkd)),
    dict(name="uskd", seeds=seeds, model=dict(losses=uskd)),
]
report = dict(baseline="ce", title="CIFAR-100: a ResNet-18 that teaches itself")
analyses = [dict(type="comparisons", pairs=[("tf_nkd", "twice_ce"), ("uskd", "twice_ce")])]
