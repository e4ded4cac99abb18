# ImageNet, the labels of szq0214/FKD (marginal smoothing, k = 5), made as the student trains.
from cls_kd.losses import StoredLabelLoss

losses = dict(stored=dict(type=StoredLabelLoss, top=5))
