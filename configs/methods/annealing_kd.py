# CIFAR, as the authors: 200 epochs without labels. Then a run of 100 with labels alone, which
# starts from this one: model=dict(student_weights="run:NAME", losses=dict(_delete_=True, ce=...)).
from cls_kd.losses import AnnealingKDLoss

losses = dict(annealing=dict(type=AnnealingKDLoss, max_temperature=10))
