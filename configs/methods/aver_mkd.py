# CIFAR-100, as Rorozhl/CA-MKD; needs a list of teachers.
from cls_kd.losses import AverageTeachersLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    aver_mkd=dict(type=AverageTeachersLoss, temperature=4.0),
)
