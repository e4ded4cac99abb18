# arXiv:2210.12787 on PS-KD's past predictions: alpha as PS-KD on CIFAR-100, start ours.
from cls_kd.losses import IPWDSelfLoss

losses = dict(ipwd=dict(type=IPWDSelfLoss, alpha=0.8, direction="printed", start=0.5))
