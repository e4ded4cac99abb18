# CIFAR, as Jangho-Kim/FFL-pytorch: T 3, ramp-up over 80 of 300 epochs, 2 branches.
from cls_kd.losses import EnsembleTaskLoss, FFLLoss, PeerTaskLoss
from cls_kd.models import FeatureClassifierFusion
from cls_kd.modules import GaussianRampUp

losses = dict(ce=dict(type=PeerTaskLoss), ensemble=dict(type=EnsembleTaskLoss))
losses["ffl"] = dict(type=FFLLoss, weight=dict(type=GaussianRampUp, until=80 / 300))
student = dict(num_branches=2, fusion=dict(_delete_=True, type=FeatureClassifierFusion))
