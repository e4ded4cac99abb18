"""Runs of the online methods, and of OKDMDE without its parts.

T 3 and the ramp-up over 80 of 300 epochs as DefangChen/OKDDip-AAAI2020; 5e-8 as later works carry
it for OKDMDE. docs/papers/online.md says what is ours.
"""

from cls_kd.losses import EnsembleDistillationLoss, PeerTaskLoss
from cls_kd.models import MeanFusion

_mean = dict(fusion=dict(_delete_=True, type=MeanFusion))
_ce = dict(_delete_=True, ce=dict(type=PeerTaskLoss))
_ensemble = dict(type=EnsembleDistillationLoss, temperature=3.0, detach=False)

branches_alone = dict(student=_mean, losses=_ce)
online = dict(
    dml=dict(method="dml"),
    one=dict(method="one"),
    cl_ilr=dict(method="cl_ilr"),
    okddip=dict(method="okddip"),
    kdcl=dict(method="kdcl_minlogit", model=dict(losses=dict(kdcl=dict(temperature=3.0)))),
    okdmde=dict(method="okdmde"),
    okdmde_mean=dict(method="okdmde", model=dict(student=_mean)),
    okdmde_no_cd=dict(method="okdmde", model=dict(losses=dict(_ce, okdmde=_ensemble))),
)
