"""Ways in which a network teaches itself, or its like, against cross-entropy; five seeds each.

Settings are those of configs/methods, published for CIFAR-100 or ImageNet and not tuned here. The
teacher of Tf-KD self, BAN, BAN+L, CWTM and DKPP is the network of `ce` with the same seed; they
start from other weights than it did (`seed_shift`). docs/papers/baselines.md says what came
out.
"""

from mmengine.config import read_base

from cls_kd.losses import TaskLoss

with read_base():
    from ..pair import *

_seeds = list(range(5))
model["teacher"] = dict(network=digits_student, weights="run:ce")
model["losses"] = dict(ce=dict(type=TaskLoss))
train_dataloader["dataset"]["times"] = 5  # 10 steps an epoch, 200 in all

_alone = dict(seeds=_seeds, model=dict(teacher=None))
_taught = dict(seeds=_seeds, seed_shift=1000)
_twice = dict(dataset=dict(times=10))  # 400 steps; DLB takes 380, as images come twice
runs = dict(
    ce=dict(**_alone),
    ce_twice=dict(**_alone, train_dataloader=_twice),
    label_smoothing=dict(**_alone, method="label_smoothing"),
    confidence_penalty=dict(**_alone, method="confidence_penalty"),
    tsd=dict(**_alone, method="tsd"),
    tfkd_reg=dict(**_alone, method="tfkd_reg"),
    ps_kd=dict(**_alone, method="ps_kd"),
    cs_kd=dict(**_alone, method="cs_kd"),
    dlb=dict(**_alone, method="dlb"),
    tfkd_self=dict(**_taught, method="tfkd_self"),
    ban=dict(**_taught, method="ban"),
    ban_l=dict(**_taught, method="ban_l"),
    cwtm=dict(**_taught, method="cwtm"),
    dkpp=dict(**_taught, method="dkpp"),
)
report = dict(baseline="ce", title="Digits: students of 100 images that teach themselves")
default_hooks["checkpoint"].update(interval=20)
train_cfg.update(val_interval=20)
console_log_level = "ERROR"
