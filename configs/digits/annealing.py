"""Annealing-KD in its two phases (Jafari et al. 2021): teacher's logits alone, then labels alone.

cls-kd train digits/annealing
"""

from mmengine.config import read_base
from mmengine.optim import CosineAnnealingLR

from cls_kd.losses import TaskLoss

with read_base():
    from .pair import *

# Half as many epochs as the first phase, as in the authors' script.
_schedule = dict(type=CosineAnnealingLR, by_epoch=True, T_max=10, convert_to_iter_based=True)
runs = dict(
    teacher=teacher,
    kd=dict(),
    annealing=dict(method="annealing_kd"),
    annealing_labels=dict(
        model=dict(
            student_weights="run:annealing",
            teacher=None,
            losses=dict(_delete_=True, ce=dict(type=TaskLoss)),
        ),
        train_cfg=dict(max_epochs=10),
        param_scheduler=[_schedule],
    ),
)
