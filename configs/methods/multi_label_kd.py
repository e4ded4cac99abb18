# Images with several labels: binary cross-entropy by the student's head, weight 1 each (ours).
from cls_kd.losses import MultiLabelKDLoss, TaskLoss

losses = dict(ce=dict(type=TaskLoss), kd=dict(type=MultiLabelKDLoss))
