"""OKDMDE, itself without its parts, and other online methods: 300 epochs, batches of 128.

Protocol of DefangChen/OKDDip-AAAI2020, which OKDMDE (arXiv:2010.00795) very likely shares: no
settings of its own are public. A config that uses this brings the data and the network, as the
branches and, in the first run, alone; there are three seeds of each.
"""

from mmengine.config import read_base
from mmpretrain.evaluation import Accuracy

from cls_kd.distillers import Distiller
from cls_kd.evaluation import PeerAccuracy
from cls_kd.losses import (
    ClassifierDiversityLoss,
    DMLLoss,
    EnsembleDistillationLoss,
    EnsembleTaskLoss,
    KDCLLoss,
    PeerTaskLoss,
    TaskLoss,
)
from cls_kd.models import (
    AttentionFusion,
    FeatureFusion,
    GateFusion,
    MeanFusion,
    MultiBranchClassifier,
)
from cls_kd.modules import GaussianRampUp

with read_base():
    from ..runtime.default import *
    from ..schedules.cifar_online_300 import *

seeds = [0, 1, 2]
ramp_up = dict(type=GaussianRampUp, until=80 / 300)
ce = dict(_delete_=True, ce=dict(type=PeerTaskLoss))
attached = dict(type=EnsembleDistillationLoss, temperature=3.0, detach=False)
detached = dict(type=EnsembleDistillationLoss, temperature=3.0, weight=ramp_up)
cd = dict(type=ClassifierDiversityLoss, weight=5e-8)
ensemble = dict(type=EnsembleTaskLoss)
dml = dict(type=DMLLoss, temperature=1.0)
kdcl = dict(type=KDCLLoss, mode="minlogit", temperature=3.0)

gate = dict(fusion=dict(_delete_=True, type=GateFusion))
mean = dict(fusion=dict(_delete_=True, type=MeanFusion))
whole = dict(cut_after=None, **mean)
attention = dict(num_branches=4, deploy=-1, fusion=dict(_delete_=True, type=AttentionFusion))
others = dict(branch_gradient_scale=1 / 3, fusion=dict(_delete_=True, type=MeanFusion, own=False))

branches = dict(type=MultiBranchClassifier, num_branches=3, fusion=dict(type=FeatureFusion))
model = dict(type=Distiller, losses=dict(ce, okdmde=attached, cd=cd))
model["losses"].pop("_delete_")
alone = dict(_delete_=True, ce=dict(type=TaskLoss))
runs = [
    dict(name="student", seeds=seeds, model=dict(losses=alone)),
    dict(name="dml", seeds=seeds, model=dict(student=whole, losses=dict(ce, dml=dml))),
    dict(name="cl_ilr", seeds=seeds, model=dict(student=others, losses=dict(ce, cl=detached))),
    dict(
        name="one",
        seeds=seeds,
        model=dict(student=gate, losses=dict(ce, ensemble=ensemble, one=detached)),
    ),
    dict(
        name="okddip",
        seeds=seeds,
        model=dict(student=attention, losses=dict(ce, okddip=dict(attached, weight=ramp_up))),
    ),
    dict(name="kdcl", seeds=seeds, model=dict(student=whole, losses=dict(ce, kdcl=kdcl))),
    dict(name="okdmde", seeds=seeds),
    dict(name="okdmde_mean", seeds=seeds, model=dict(student=mean)),
    dict(name="okdmde_no_cd", seeds=seeds, model=dict(losses=dict(ce, okdmde=attached))),
]
rivals = ["one", "dml", "okddip", "okdmde_mean", "okdmde_no_cd"]
analyses = [
    dict(type="branches", runs=[run["name"] for run in runs[1:]]),
    dict(type="comparisons", pairs=[("okdmde", name) for name in rivals]),
]
test_evaluator = [dict(type=Accuracy, topk=(1, 5)), dict(type=PeerAccuracy)]
