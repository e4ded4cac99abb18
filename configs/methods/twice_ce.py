# No paper's: the control of tf_nkd, which is about the cross-entropy once more.
from cls_kd.losses import TaskLoss

losses = dict(ce=dict(type=TaskLoss, weight=2.0))
