# Any data: equal weights, ours.
from cls_kd.losses import FeatureMSELoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    feature_mse=dict(type=FeatureMSELoss),
)
