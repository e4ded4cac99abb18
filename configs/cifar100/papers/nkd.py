"""NKD against KD, DKD, WSLD and the student alone: ResNet-34 to ResNet-18, three seeds.

Settings of yzd-v/cls_KD (arXiv:2303.13005). The teacher is trained first, by the same schedule.
"""

from mmengine.config import read_base

from cls_kd.losses import DKDLoss, KDLoss, NKDLoss, TaskLoss, WSLDLoss

with read_base():
    from ...pairs.cifar100.resnet34_resnet18 import *

seeds = [0, 1, 2]
model["teacher"].update(weights="run:teacher")
alone = dict(_delete_=True, ce=dict(type=TaskLoss))
kd = dict(
    _delete_=True,
    ce=dict(type=TaskLoss, weight=0.5),
    kd=dict(type=KDLoss, temperature=3.0, weight=0.5),
)
dkd = dict(
    _delete_=True,
    ce=dict(type=TaskLoss),
    dkd=dict(type=DKDLoss, alpha=1.0, beta=8.0, temperature=4.0),
)
wsld = dict(
    _delete_=True,
    ce=dict(type=TaskLoss),
    wsld=dict(type=WSLDLoss, temperature=4.0, weight=2.25),
)
nkd = dict(
    _delete_=True, ce=dict(type=TaskLoss), nkd=dict(type=NKDLoss, temperature=3.0, gamma=3.5)
)
first = dict(student=dict(_delete_=True, **cifar_resnet34), teacher=None, losses=alone)
runs = [
    dict(name="teacher", model=first),
    dict(name="student", seeds=seeds, model=dict(losses=alone, teacher=None)),
    dict(name="kd", seeds=seeds, model=dict(losses=kd)),
    dict(name="dkd", seeds=seeds, model=dict(losses=dkd)),
    dict(name="wsld", seeds=seeds, model=dict(losses=wsld)),
    dict(name="nkd", seeds=seeds, model=dict(losses=nkd)),
]
report = dict(
    baseline="student", references=["teacher"], title="CIFAR-100: NKD, ResNet-34 to ResNet-18"
)
analyses = [
    dict(type="comparisons", pairs=[("nkd", "kd"), ("nkd", "dkd"), ("nkd", "wsld")]),
    dict(type="decomposition", runs=["student", "kd", "dkd", "nkd"], temperature=1.0),
]
