# CIFAR, Wu and Gong 2021 (arXiv:2006.04147): T 3, ramp-up over 80 of 300 epochs, 3 branches.
from cls_kd.losses import EnsembleTaskLoss, PCLLoss, PeerTaskLoss
from cls_kd.models import AveragedMultiBranchClassifier, EmbeddingClassifierFusion
from cls_kd.modules import GaussianRampUp

losses = dict(ce=dict(type=PeerTaskLoss), ensemble=dict(type=EnsembleTaskLoss))
losses["pcl"] = dict(type=PCLLoss, weight=dict(type=GaussianRampUp, until=80 / 300))
student = dict(
    type=AveragedMultiBranchClassifier, fusion=dict(_delete_=True, type=EmbeddingClassifierFusion)
)
