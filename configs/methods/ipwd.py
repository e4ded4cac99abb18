# The ratio as printed in arXiv:2210.12787; temperature and 0.1 of CE as KD on CIFAR-100, ours.
from cls_kd.losses import IPWDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.1),
    ipwd=dict(type=IPWDLoss, direction="printed", alpha=0.9, beta=0.1, temperature=4.0),
)
