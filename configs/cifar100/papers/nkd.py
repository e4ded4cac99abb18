"""NKD against KD, DKD, WSLD and the student alone: ResNet-34 to ResNet-18, three seeds.

Settings of yzd-v/cls_KD (arXiv:2303.13005). The teacher is trained first, by the same schedule.
"""

from mmengine.config import read_base

with read_base():
    from ...pairs.cifar100.resnet34_resnet18 import *

_seeds = [0, 1, 2]
model["teacher"].update(weights="run:teacher")
_first = dict(student=dict(_delete_=True, **cifar_resnet34), teacher=None)
_kd = dict(ce=dict(weight=0.5), kd=dict(temperature=3.0, weight=0.5))
runs = dict(
    teacher=dict(method="ce", model=_first),
    student=dict(method="ce", seeds=_seeds, model=dict(teacher=None)),
    kd=dict(method="kd", seeds=_seeds, model=dict(losses=_kd)),
    # Without DKD's warm-up.
    dkd=dict(method="dkd", seeds=_seeds, model=dict(losses=dict(dkd=dict(weight=1.0)))),
    wsld=dict(method="wsld", seeds=_seeds),
    nkd=dict(method="nkd", seeds=_seeds),
)
report = dict(
    baseline="student", references=["teacher"], title="CIFAR-100: NKD, ResNet-34 to ResNet-18"
)
analyses = [
    dict(type="comparisons", pairs=[("nkd", "kd"), ("nkd", "dkd"), ("nkd", "wsld")]),
    dict(type="decomposition", runs=["student", "kd", "dkd", "nkd"], temperature=1.0),
]
