"""OKDMDE, itself without its parts, and other online methods: 300 epochs, batches of 128.

Protocol of DefangChen/OKDDip-AAAI2020, which OKDMDE (arXiv:2010.00795) very likely shares: no
settings of its own are public. A config that uses this brings the data and the network, as the
branches and, in the first run, alone; there are three seeds of each.
"""

from mmengine.config import read_base
from mmpretrain.evaluation import Accuracy

from cls_kd.distillers import Distiller
from cls_kd.evaluation import PeerAccuracy
from cls_kd.losses import TaskLoss
from cls_kd.models import FeatureFusion, MultiBranchClassifier

with read_base():
    from ..runtime.default import *
    from ..schedules.cifar_online_300 import *
    from .online_methods import *

branches = dict(type=MultiBranchClassifier, num_branches=3, fusion=dict(type=FeatureFusion))
model = dict(type=Distiller, losses=dict(ce=dict(type=TaskLoss)))
runs = dict(
    student=dict(seeds=[0, 1, 2], model=dict()),
    **{name: dict(run, seeds=[0, 1, 2]) for name, run in online.items()},
)
_others = ["one", "dml", "okddip", "okdmde_mean", "okdmde_no_cd"]
analyses = [
    dict(type="branches", runs=list(online)),
    dict(type="comparisons", pairs=[("okdmde", name) for name in _others]),
]
test_evaluator = [dict(type=Accuracy, topk=(1, 5)), dict(type=PeerAccuracy)]
