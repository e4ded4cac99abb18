# CIFAR-100, as DefangChen/SimKD; the student as in configs/digits/simkd.py.
from cls_kd.losses import SimKDLoss

losses = dict(simkd=dict(type=SimKDLoss))
