# CIFAR-100, as wonchulSon/DGKD, without cross-entropy; its KL is a mean over the 100 classes.
# Needs a list of teachers: the teacher and its assistants.
from cls_kd.losses import DGKDLoss

losses = dict(dgkd=dict(type=DGKDLoss, temperature=5.0, dropped=1, weight=1 / 100))
