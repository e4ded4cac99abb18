# CIFAR-100, Shen et al. 2022 (arXiv:2203.16172): T 3, alpha 1; not checked against their code.
from cls_kd.data import LastBatchSampler
from cls_kd.losses import DLBLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    dlb=dict(type=DLBLoss, temperature=3.0, weight=1.0),
)
train_data = dict(batch_sampler=dict(type=LastBatchSampler))
