# Any data: equal weights, ours; the paper trains on the logits alone.
from cls_kd.losses import LogitMSELoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    logit_mse=dict(type=LogitMSELoss),
)
