# CIFAR-100, as Rorozhl/CA-MKD; needs a list of teachers.
from cls_kd.losses import EntropyTeachersLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    ebkd=dict(type=EntropyTeachersLoss, temperature=4.0),
)
