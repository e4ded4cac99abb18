# CIFAR-100, as Rorozhl/CA-MKD; needs a list of teachers. Maps count from the second epoch on.
from cls_kd.losses import ConfidenceTeachersFeatureLoss, ConfidenceTeachersLoss, TaskLoss
from cls_kd.modules import Window

_weight = dict(type=Window, start=1 / 240, value=50.0)
losses = dict(
    ce=dict(type=TaskLoss),
    ca_mkd=dict(type=ConfidenceTeachersLoss, temperature=4.0),
    features=dict(type=ConfidenceTeachersFeatureLoss, weight=_weight),
)
