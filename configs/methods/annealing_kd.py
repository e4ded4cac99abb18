# CIFAR, as the authors: 200 epochs without labels. Then a run of 100 with labels alone, which
# starts from this one, as in configs/digits/annealing.py.
from cls_kd.losses import AnnealingKDLoss

losses = dict(annealing=dict(type=AnnealingKDLoss, max_temperature=10))
