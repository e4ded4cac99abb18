# Any data: ReviewKD's distance without its fusions, ours; the weight is ours, too.
from cls_kd.losses import HCLLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    hcl=dict(type=HCLLoss),
)
