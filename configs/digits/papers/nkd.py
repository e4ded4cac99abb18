"""NKD against KD, DKD and the student alone, ten seeds each, and KD taken apart.

Settings were chosen on the validation split, with other seeds; the test split is looked at once,
after each run. docs/papers/nkd.md says what came out.
"""

from mmengine.config import read_base

from cls_kd.losses import DKDLoss, KDLoss, NKDLoss, TaskLoss
from cls_kd.modules import LinearWarmup

with read_base():
    from ..pair import *

seeds = list(range(10))
alone = dict(_delete_=True, ce=dict(type=TaskLoss))
kd = dict(
    _delete_=True,
    ce=dict(type=TaskLoss),
    kd=dict(type=KDLoss, temperature=8.0),
)
dkd = dict(
    _delete_=True,
    ce=dict(type=TaskLoss),
    dkd=dict(type=DKDLoss, beta=2.0, temperature=8.0),
)
dkd["dkd"]["weight"] = dict(type=LinearWarmup, until=20 / 240)
nkd = dict(
    _delete_=True, ce=dict(type=TaskLoss), nkd=dict(type=NKDLoss, temperature=1.0, gamma=3.5)
)
runs = [
    teacher,
    dict(name="student", seeds=seeds, model=dict(losses=alone, teacher=None)),
    dict(name="kd", seeds=seeds, model=dict(losses=kd)),
    dict(name="dkd", seeds=seeds, model=dict(losses=dkd)),
    dict(name="nkd", seeds=seeds, model=dict(losses=nkd)),
]
report = dict(
    baseline="student",
    references=["teacher"],
    title="Digits: NKD, KD and DKD; a teacher of 1,135 images, students of 100 of them",
)
students = ["student", "kd", "dkd", "nkd"]
analyses = [
    dict(type="comparisons", pairs=[("nkd", "kd"), ("nkd", "dkd"), ("dkd", "kd")]),
    dict(type="decomposition", runs=students, split="val", temperature=1.0),
]
default_hooks["checkpoint"].update(interval=20)
train_cfg.update(val_interval=2)
console_log_level = "ERROR"
