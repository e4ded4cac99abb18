"""What distillation gains, in two minutes: students alone, with KD and with NKD, ten seeds each."""

from mmengine.config import read_base

from cls_kd.losses import KDLoss, NKDLoss, TaskLoss

with read_base():
    from .pair import *

# Chosen on the validation split; the test split is looked at once, after each run.
seeds = list(range(10))
alone = dict(_delete_=True, ce=dict(type=TaskLoss))
kd = dict(
    _delete_=True,
    ce=dict(type=TaskLoss, weight=0.1),
    kd=dict(type=KDLoss, temperature=4.0, weight=0.9),
)
nkd = dict(
    _delete_=True, ce=dict(type=TaskLoss), nkd=dict(type=NKDLoss, temperature=3.0, gamma=3.5)
)
runs = [
    teacher,
    dict(name="student", seeds=seeds, model=dict(losses=alone, teacher=None)),
    dict(name="kd", seeds=seeds, model=dict(losses=kd)),
    dict(name="nkd", seeds=seeds, model=dict(losses=nkd)),
]
report = dict(
    baseline="student",
    references=["teacher"],
    title="Digits: a teacher of 1,135 images, students of 100 of them",
)
default_hooks["checkpoint"].update(interval=20)
train_cfg.update(val_interval=2)
console_log_level = "ERROR"
