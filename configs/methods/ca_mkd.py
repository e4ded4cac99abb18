# CIFAR-100, as Rorozhl/CA-MKD, without its term on feature maps; needs a list of teachers.
from cls_kd.losses import ConfidenceTeachersLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    ca_mkd=dict(type=ConfidenceTeachersLoss, temperature=4.0),
)
