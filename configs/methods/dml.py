# CIFAR-100, arXiv:1706.00384: T 1, 2 networks there; here as many as the student has.
from cls_kd.losses import DMLLoss, PeerTaskLoss
from cls_kd.models import MeanFusion

losses = dict(ce=dict(type=PeerTaskLoss), dml=dict(type=DMLLoss, temperature=1.0))
student = dict(cut_after=None, fusion=dict(_delete_=True, type=MeanFusion))
