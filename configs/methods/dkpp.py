# All data, Furlanello et al. 2018 (arXiv:1805.04770): a control of BAN with other classes shuffled.
from cls_kd.losses import DKPPLoss

losses = dict(dkpp=dict(type=DKPPLoss))
