# All data, Furlanello et al. 2018 (arXiv:1805.04770), BAN+L: the teacher's output and the labels.
# The teacher is a trained network like the student.
from cls_kd.losses import KDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    kd=dict(type=KDLoss, temperature=1.0),
)
