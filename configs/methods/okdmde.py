# CIFAR: T 3 and 5e-8 as later works carry them. The rest is ours: see docs/papers/online.md.
from cls_kd.losses import ClassifierDiversityLoss, EnsembleDistillationLoss, PeerTaskLoss
from cls_kd.models import FeatureFusion

losses = dict(ce=dict(type=PeerTaskLoss))
losses["okdmde"] = dict(type=EnsembleDistillationLoss, temperature=3.0, detach=False)
losses["cd"] = dict(type=ClassifierDiversityLoss, weight=5e-8)
student = dict(fusion=dict(_delete_=True, type=FeatureFusion))
