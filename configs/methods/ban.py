# All data, Furlanello et al. 2018 (arXiv:1805.04770): the teacher's output instead of labels.
# The teacher is a trained network like the student.
from cls_kd.losses import KDLoss

losses = dict(kd=dict(type=KDLoss, temperature=1.0))
