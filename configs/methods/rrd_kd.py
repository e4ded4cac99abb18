# CIFAR-100, as giakoumoglou/distillers: RRD with KD beside it.
from cls_kd.losses import KDLoss, RRDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    rrd=dict(type=RRDLoss, student_temperature=0.1, teacher_temperature=0.02),
    kd=dict(type=KDLoss, temperature=4.0),
)
