# beta 0.1, the usual one for images with Pereyra et al. 2017 (arXiv:1701.06548); not checked there.
from cls_kd.losses import ConfidencePenaltyLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    confidence_penalty=dict(type=ConfidencePenaltyLoss, weight=0.1),
)
