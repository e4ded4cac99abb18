"""NKD against KD, DKD and the student alone, ten seeds each, and KD taken apart.

Settings were chosen on the validation split, with other seeds; the test split is looked at once,
after each run. docs/papers/nkd.md says what came out.
"""

from mmengine.config import read_base

from cls_kd.modules import LinearWarmup

with read_base():
    from ..pair import *

_seeds = list(range(10))
_kd = dict(ce=dict(weight=1.0), kd=dict(temperature=8.0, weight=1.0))
_warm_up = dict(_delete_=True, type=LinearWarmup, until=20 / 240)
_dkd = dict(dkd=dict(beta=2.0, temperature=8.0, weight=_warm_up))
_nkd = dict(nkd=dict(temperature=1.0))
runs = dict(
    teacher=teacher,
    student=dict(method="ce", seeds=_seeds, model=dict(teacher=None)),
    kd=dict(method="kd", seeds=_seeds, model=dict(losses=_kd)),
    dkd=dict(method="dkd", seeds=_seeds, model=dict(losses=_dkd)),
    nkd=dict(method="nkd", seeds=_seeds, model=dict(losses=_nkd)),
)
report = dict(
    baseline="student",
    references=["teacher"],
    title="Digits: NKD, KD and DKD; a teacher of 1,135 images, students of 100 of them",
)
analyses = [
    dict(type="comparisons", pairs=[("nkd", "kd"), ("nkd", "dkd"), ("dkd", "kd")]),
    dict(type="decomposition", runs=["student", "kd", "dkd", "nkd"], split="val", temperature=1.0),
]
default_hooks["checkpoint"].update(interval=20)
train_cfg.update(val_interval=2)
console_log_level = "ERROR"
