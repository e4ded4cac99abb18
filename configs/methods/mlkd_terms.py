# MLKD at one temperature, on one view, in terms with a weight each: ours, for ablations.
from cls_kd.losses import BatchCorrelationLoss, ClassCorrelationLoss, KDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.1),
    instance=dict(type=KDLoss, temperature=4.0, weight=0.9),
    batch=dict(type=BatchCorrelationLoss, temperature=4.0, weight=0.9),
    classes=dict(type=ClassCorrelationLoss, temperature=4.0, weight=0.9),
)
