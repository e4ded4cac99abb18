"""OKDMDE against ONE, DML and itself without its parts: three ResNet-8 that share the first stage.

Synthetic CIFAR-100, five seeds. DML trains whole networks. Deployed is the first branch. Losses
are those of configs/methods, not tuned here. docs/papers/synthetic.md says what came out.
"""

from mmengine.config import read_base

with read_base():
    from ..._base_.protocols.online_methods import *
    from ..pair import *

from mmpretrain.evaluation import Accuracy

from cls_kd.evaluation import PeerAccuracy
from cls_kd.losses import ClassifierDiversityLoss, EnsembleDistillationLoss, PeerTaskLoss
from cls_kd.models import FeatureFusion, MultiBranchClassifier

model = dict(
    type=Distiller,
    student=dict(
        cifar_resnet8,
        type=MultiBranchClassifier,
        cut_after="layer1",
        num_branches=3,
        fusion=dict(type=FeatureFusion),
    ),
    losses=dict(
        ce=dict(type=PeerTaskLoss),
        okdmde=dict(type=EnsembleDistillationLoss, detach=False),
        cd=dict(type=ClassifierDiversityLoss, weight=5e-8),
    ),
)
test_evaluator = [dict(type=Accuracy, topk=(1, 5)), dict(type=PeerAccuracy)]
_seeds = [0, 1, 2, 3, 4]
_compared = ["one", "dml", "okdmde_mean", "okdmde_no_cd"]
runs = dict(
    student=dict(
        method="ce", seeds=_seeds, model=dict(student=dict(_delete_=True, **cifar_resnet8))
    ),
    branches=dict(seeds=_seeds, model=branches_alone),
    **{name: dict(online[name], seeds=_seeds) for name in ["okdmde", *_compared]},
)
method = "okdmde"
report = dict(baseline="student", title="Synthetic CIFAR-100: branches that learn together")
analyses = [
    dict(type="branches"),
    dict(
        type="comparisons", pairs=[("okdmde", name) for name in ["student", "branches", *_compared]]
    ),
]
