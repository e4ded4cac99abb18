# CIFAR, as DefangChen/OKDDip-AAAI2020: T 3, ramp-up over 80 of 300 epochs, 3 peers and a leader.
from cls_kd.losses import EnsembleDistillationLoss, PeerTaskLoss
from cls_kd.models import AttentionFusion
from cls_kd.modules import GaussianRampUp

losses = dict(ce=dict(type=PeerTaskLoss), okddip=dict(type=EnsembleDistillationLoss, detach=False))
losses["okddip"]["weight"] = dict(type=GaussianRampUp, until=80 / 300)
student = dict(num_branches=4, deploy=-1, fusion=dict(_delete_=True, type=AttentionFusion))
