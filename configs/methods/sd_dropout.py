# All data, Lee et al. 2022 (arXiv:2208.05642); rate, temperature and weight are ours.
from cls_kd.losses import SDDropoutLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    sd_dropout=dict(type=SDDropoutLoss, rate=0.5, temperature=3.0),
)
