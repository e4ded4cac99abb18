# CIFAR, as DefangChen/OKDDip-AAAI2020: T 3, ramp-up over 80 of 300 epochs; 3 branches are ours.
from cls_kd.losses import EnsembleDistillationLoss, PeerTaskLoss
from cls_kd.models import MeanFusion
from cls_kd.modules import GaussianRampUp

losses = dict(ce=dict(type=PeerTaskLoss))
losses["cl"] = dict(type=EnsembleDistillationLoss, weight=dict(type=GaussianRampUp, until=80 / 300))
student = dict(num_branches=3, branch_gradient_scale=1 / 3)
student["fusion"] = dict(_delete_=True, type=MeanFusion, own=False)
