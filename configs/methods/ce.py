# The labels alone: the baseline of every table.
from cls_kd.losses import TaskLoss

losses = dict(ce=dict(type=TaskLoss))
