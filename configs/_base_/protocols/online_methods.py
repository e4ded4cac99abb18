"""The online methods by their parts: losses, and what each changes in a student of branches.

T 3 and the ramp-up over 80 of 300 epochs as DefangChen/OKDDip-AAAI2020; 5e-8 as later works carry
it for OKDMDE. docs/papers/online.md says what is ours.
"""

from cls_kd.losses import (
    ClassifierDiversityLoss,
    DMLLoss,
    EnsembleDistillationLoss,
    EnsembleTaskLoss,
    KDCLLoss,
    PeerTaskLoss,
)
from cls_kd.models import AttentionFusion, FeatureFusion, GateFusion, MeanFusion
from cls_kd.modules import GaussianRampUp

ramp_up = dict(type=GaussianRampUp, until=80 / 300)
ce = dict(_delete_=True, ce=dict(type=PeerTaskLoss))
attached = dict(type=EnsembleDistillationLoss, temperature=3.0, detach=False)
detached = dict(type=EnsembleDistillationLoss, temperature=3.0, weight=ramp_up)
cd = dict(type=ClassifierDiversityLoss, weight=5e-8)
ensemble = dict(type=EnsembleTaskLoss)
dml = dict(type=DMLLoss, temperature=1.0)
kdcl = dict(type=KDCLLoss, mode="minlogit", temperature=3.0)

gate = dict(fusion=dict(_delete_=True, type=GateFusion))
feature = dict(fusion=dict(_delete_=True, type=FeatureFusion))
mean = dict(fusion=dict(_delete_=True, type=MeanFusion))
whole = dict(cut_after=None, **mean)
attention = dict(num_branches=4, deploy=-1, fusion=dict(_delete_=True, type=AttentionFusion))
others = dict(branch_gradient_scale=1 / 3, fusion=dict(_delete_=True, type=MeanFusion, own=False))

online = dict(
    dml=dict(student=whole, losses=dict(ce, dml=dml)),
    one=dict(student=gate, losses=dict(ce, ensemble=ensemble, one=detached)),
    cl_ilr=dict(student=others, losses=dict(ce, cl=detached)),
    okddip=dict(student=attention, losses=dict(ce, okddip=dict(attached, weight=ramp_up))),
    kdcl=dict(student=whole, losses=dict(ce, kdcl=kdcl)),
    okdmde=dict(student=feature, losses=dict(ce, okdmde=attached, cd=cd)),
    okdmde_mean=dict(student=mean, losses=dict(ce, okdmde=attached, cd=cd)),
    okdmde_no_cd=dict(student=feature, losses=dict(ce, okdmde=attached)),
)
