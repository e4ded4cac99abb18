# CIFAR-100, as giakoumoglou/distillers.
from cls_kd.losses import RRDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    rrd=dict(type=RRDLoss, student_temperature=0.1, teacher_temperature=0.02),
)
