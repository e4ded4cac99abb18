# All data, Furlanello et al. 2018 (arXiv:1805.04770): a control of BAN that knows no other class.
from cls_kd.losses import CWTMLoss

losses = dict(cwtm=dict(type=CWTMLoss))
