# CVPR 2020, whole networks that all see the same images; T 3 and weight 1 are ours.
from cls_kd.losses import KDCLLoss, PeerTaskLoss
from cls_kd.models import MeanFusion

losses = dict(ce=dict(type=PeerTaskLoss), kdcl=dict(type=KDCLLoss, mode="naive", temperature=3.0))
student = dict(cut_after=None, fusion=dict(_delete_=True, type=MeanFusion))
