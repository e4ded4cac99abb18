"""tf-NKD and USKD, which need no teacher, against twice the cross-entropy: ResNet-18, three seeds.

Settings of yzd-v/cls_KD (arXiv:2208.10139, arXiv:2303.13005).
"""

from mmengine.config import read_base

from cls_kd.data import LabelSmoothing

with read_base():
    from ...pairs.cifar100.resnet18 import *

_seeds = [0, 1, 2]
_smoothed = dict(batch_augments=dict(augments=dict(type=LabelSmoothing, epsilon=0.1)))
runs = dict(
    ce=dict(seeds=_seeds),
    # The control of tf_nkd, which is about the cross-entropy once more.
    twice_ce=dict(method="twice_ce", seeds=_seeds),
    label_smoothing=dict(seeds=_seeds, data_preprocessor=_smoothed),
    tf_nkd=dict(method="tf_nkd", seeds=_seeds),
    uskd=dict(method="uskd", seeds=_seeds),
)
report = dict(baseline="ce", title="CIFAR-100: a ResNet-18 that teaches itself")
analyses = [dict(type="comparisons", pairs=[("tf_nkd", "twice_ce"), ("uskd", "twice_ce")])]
