"""Tolerant and strict generations of DenseNet-100-12, a patriarch and five that follow.

K and the two numbers of D(eta, lambda) as arXiv:1805.05551; schedule of DenseNet-BC. One chain
D(0.6, 0.6) is six trainings of 300 epochs.
"""

from mmengine.config import read_base

from cls_kd.distillers import Distiller
from cls_kd.losses import ConfidencePenaltyLoss, LabelSmoothingLoss, TSDLoss
from cls_kd.runs.generations import generations

with read_base():
    from ..._base_.datasets.cifar100 import *
    from ..._base_.runtime.default import *
    from ..._base_.schedules.cifar_densenet_300 import *
    from ...networks.cifar_densenet100_12 import *

model = dict(type=Distiller, student=cifar_densenet100_12)
_chain = dict(type=generations, students=5, lambda_=0.6)
runs = dict(
    strict=dict(**_chain),
    tsd=dict(**_chain, eta=0.6, tolerance=dict(type=TSDLoss, k=5)),
    smoothing=dict(**_chain, eta=0.6, tolerance=dict(type=LabelSmoothingLoss)),
    penalty=dict(**_chain, eta=0.6, tolerance=dict(type=ConfidencePenaltyLoss)),
)
report = dict(baseline="strict_0", title="CIFAR-100: generations of DenseNet-100-12")
analyses = [
    dict(type="generations", baseline="strict_0"),
    # The superclasses are those of CIFAR-100 itself.
    dict(type="secondary_information", k=5),
]
