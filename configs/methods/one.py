# CIFAR, as Lan-Xu/ONE_NeurIPS2018: T 3, ramp-up over 80 of 300 epochs. 3 branches there.
from cls_kd.losses import EnsembleDistillationLoss, EnsembleTaskLoss, PeerTaskLoss
from cls_kd.models import GateFusion
from cls_kd.modules import GaussianRampUp

losses = dict(ce=dict(type=PeerTaskLoss), ensemble=dict(type=EnsembleTaskLoss))
losses["one"] = dict(
    type=EnsembleDistillationLoss, weight=dict(type=GaussianRampUp, until=80 / 300)
)
student = dict(fusion=dict(_delete_=True, type=GateFusion))
