# CIFAR-100, as sunshangquan/logit-standardization-KD: temperature 2, weight 9 after DKD's warm-up.
from cls_kd.losses import DKDLoss, StandardizedLogitsLoss, TaskLoss
from cls_kd.modules import EpochWarmup

losses = dict(ce=dict(type=TaskLoss), dkd=dict(type=StandardizedLogitsLoss))
losses["dkd"]["loss"] = dict(type=DKDLoss, beta=8.0, temperature=2.0)
losses["dkd"]["weight"] = dict(type=EpochWarmup, until=20 / 240, value=9.0)
