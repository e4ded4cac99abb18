"""IPWD against KD and the student alone: ResNet32x4 to ShuffleNetV1, three seeds.

A pair of Table 1 of arXiv:2210.12787, in the protocol of CRD; the teacher is trained first.
"""

from mmengine.config import read_base

with read_base():
    from ...pairs.cifar100.resnet32x4_shufflenet_v1 import *

_seeds = [0, 1, 2]
model["teacher"].update(weights="run:teacher")
_first = dict(student=dict(_delete_=True, **cifar_resnet32x4), teacher=None)
# Weights of mean one: else they would also make distillation twice as strong. `raw` has them as
# printed; the control has the second classifier, and weights that never begin.
_control = dict(ipwd=dict(start=1.0))
_normalized = dict(ipwd=dict(normalize=True))
runs = dict(
    # ShuffleNet takes another learning rate than its teacher.
    teacher=dict(method="ce", model=_first, optim_wrapper=dict(optimizer=dict(lr=0.05))),
    student=dict(method="ce", seeds=_seeds, model=dict(teacher=None)),
    kd=dict(method="kd", seeds=_seeds),
    kd_second_head=dict(method="ipwd", seeds=_seeds, model=dict(losses=_control)),
    ipwd_raw=dict(method="ipwd", seeds=_seeds),
    ipwd_printed=dict(method="ipwd", seeds=_seeds, model=dict(losses=_normalized)),
    ipwd_inverse=dict(method="ipwd_inverse", seeds=_seeds, model=dict(losses=_normalized)),
)
report = dict(
    baseline="student",
    references=["teacher"],
    title="CIFAR-100: IPWD, ResNet32x4 to ShuffleNetV1",
)
_taught = ["kd", "kd_second_head", "ipwd_raw", "ipwd_printed", "ipwd_inverse"]
analyses = [
    dict(type="comparisons", pairs=[(name, "kd_second_head") for name in _taught if "ip" in name]),
    dict(
        type="transfer_gap",
        runs=["student", *_taught],
        baseline="student",
        groups=4,
        temperature=4.0,
    ),
]
