# The ratio the other way round than arXiv:2210.12787 prints it; the rest as in ipwd, ours.
from cls_kd.losses import IPWDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.1),
    ipwd=dict(type=IPWDLoss, direction="inverse", alpha=0.9, beta=0.1, temperature=4.0),
)
