"""IPWD against KD and the student alone: ResNet32x4 to ShuffleNetV1, three seeds.

A pair of Table 1 of arXiv:2210.12787, in the protocol of CRD; the teacher is trained first.
"""

from mmengine.config import read_base

from cls_kd.losses import IPWDLoss, KDLoss, TaskLoss

with read_base():
    from ...pairs.cifar100.resnet32x4_shufflenet_v1 import *

seeds = [0, 1, 2]
model["teacher"].update(weights="run:teacher")
alone = dict(_delete_=True, ce=dict(type=TaskLoss))
kd = dict(
    _delete_=True,
    ce=dict(type=TaskLoss, weight=0.1),
    kd=dict(type=KDLoss, temperature=4.0, weight=0.9),
)
# Weights of mean one: else they would also make distillation twice as strong. `raw` has them as
# printed; the control has the second classifier, and weights that never begin.
weighted = dict(type=IPWDLoss, alpha=0.9, temperature=4.0)
ce = dict(type=TaskLoss, weight=0.1)
control = dict(_delete_=True, ce=ce, ipwd=dict(**weighted, start=1.0))
raw = dict(_delete_=True, ce=ce, ipwd=dict(**weighted, direction="printed"))
printed = dict(_delete_=True, ce=ce, ipwd=dict(**weighted, direction="printed", normalize=True))
inverse = dict(_delete_=True, ce=ce, ipwd=dict(**weighted, direction="inverse", normalize=True))
first = dict(student=dict(_delete_=True, **cifar_resnet32x4), teacher=None, losses=alone)
runs = [
    # ShuffleNet takes another learning rate than its teacher.
    dict(name="teacher", model=first, optim_wrapper=dict(optimizer=dict(lr=0.05))),
    dict(name="student", seeds=seeds, model=dict(losses=alone, teacher=None)),
    dict(name="kd", seeds=seeds, model=dict(losses=kd)),
    dict(name="kd_second_head", seeds=seeds, model=dict(losses=control)),
    dict(name="ipwd_raw", seeds=seeds, model=dict(losses=raw)),
    dict(name="ipwd_printed", seeds=seeds, model=dict(losses=printed)),
    dict(name="ipwd_inverse", seeds=seeds, model=dict(losses=inverse)),
]
report = dict(
    baseline="student",
    references=["teacher"],
    title="CIFAR-100: IPWD, ResNet32x4 to ShuffleNetV1",
)
taught = ["kd", "kd_second_head", "ipwd_raw", "ipwd_printed", "ipwd_inverse"]
analyses = [
    dict(type="comparisons", pairs=[(name, "kd_second_head") for name in taught if "ip" in name]),
    dict(
        type="transfer_gap",
        runs=["student", *taught],
        baseline="student",
        groups=4,
        temperature=4.0,
    ),
]
