"""NKD, DKD, KD, IPWD and generations: ResNet-20 to ResNet-8 on synthetic CIFAR-100, five seeds.

Losses are those of configs/methods, published for CIFAR-100 and not tuned here.
docs/papers/synthetic.md says what came out.
"""

from mmengine.config import read_base

with read_base():
    from ..pair import *

from cls_kd.losses import TSDLoss
from cls_kd.runs.generations import generations

_seeds = [0, 1, 2, 3, 4]
# Weights of mean one: else they would also make distillation twice as strong. The control has the
# second classifier, and weights that never begin.
_normalized = dict(ipwd=dict(normalize=True))
_control = dict(ipwd=dict(normalize=True, start=1.0))
_chain = dict(type=generations, students=2, lambda_=0.6, seeds=_seeds)
runs = dict(
    teacher=teacher,
    student=dict(method="ce", seeds=_seeds, model=dict(teacher=None)),
    kd=dict(method="kd", seeds=_seeds),
    nkd=dict(method="nkd", seeds=_seeds),
    dkd=dict(method="dkd", seeds=_seeds),
    kd_second_head=dict(method="ipwd", seeds=_seeds, model=dict(losses=_control)),
    ipwd=dict(method="ipwd", seeds=_seeds, model=dict(losses=_normalized)),
    ipwd_inverse=dict(method="ipwd_inverse", seeds=_seeds, model=dict(losses=_normalized)),
    # The student alone is the patriarch of the strict chain.
    strict=dict(**_chain, patriarch="student"),
    tsd=dict(**_chain, eta=0.6, tolerance=dict(type=TSDLoss, k=5)),
)
report = dict(
    baseline="student",
    references=["teacher"],
    title="Synthetic CIFAR-100: ResNet-20 to ResNet-8, and generations of ResNet-8",
)
_taught = ["kd", "kd_second_head", "ipwd", "ipwd_inverse"]
_pairs = [("nkd", "kd"), ("nkd", "dkd"), ("dkd", "kd"), ("tsd_2", "strict_2")]
_pairs += [(name, "kd_second_head") for name in ("kd", "ipwd", "ipwd_inverse")]
analyses = [
    dict(type="comparisons", pairs=_pairs),
    dict(type="decomposition", runs=["student", "kd", "dkd", "nkd"], temperature=1.0),
    dict(
        type="transfer_gap",
        runs=["student", *_taught],
        baseline="student",
        groups=4,
        temperature=4.0,
    ),
    dict(type="generations", runs=["strict_2", "tsd_2"], baseline="student"),
]
