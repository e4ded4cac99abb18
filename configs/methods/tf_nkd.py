# ImageNet and CIFAR-100, as yzd-v/cls_KD@de48db4: it has no setting.
from cls_kd.losses import TaskLoss, TfNKDLoss

losses = dict(ce=dict(type=TaskLoss), tf_nkd=dict(type=TfNKDLoss))
