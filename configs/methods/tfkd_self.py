# CIFAR-100, ResNet18, as yuanli2333/Teacher-free-Knowledge-Distillation: alpha .95, T 6, 50/K = .5.
# The teacher is a trained network like the student.
from cls_kd.losses import KDLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss, weight=0.05),
    kd=dict(type=KDLoss, temperature=6.0, weight=0.95 * 50 / 100),
)
