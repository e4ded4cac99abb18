"""Students that are taught by a teacher's earlier checkpoints: ESKD and route-constrained RCO.

cls-kd train digits/checkpoints
ESKD (Cho and Hariharan 2019): a teacher that was stopped early, here after a third of its epochs.
RCO (Jin et al. 2019): one student goes on from checkpoint to checkpoint of its teacher, at equal
distances of epochs. The number of checkpoints, and that each of them has as many of the student's
epochs, is ours.
"""

from itertools import pairwise

from mmengine.config import read_base
from mmengine.optim import CosineAnnealingLR

with read_base():
    from .pair import *

_ROUTE = (5, 10, 15, 20)

teacher["default_hooks"] = dict(checkpoint=dict(interval=1, max_keep_ckpts=-1))
runs = dict(
    teacher=teacher,
    kd=dict(),
    eskd=dict(model=dict(teacher=dict(network=digits_teacher, weights="run:teacher@7"))),
)
_schedule = dict(type=CosineAnnealingLR, by_epoch=True, T_max=5, convert_to_iter_based=True)
for _before, _epoch in pairwise((None, *_ROUTE)):
    _model = dict(teacher=dict(network=digits_teacher, weights=f"run:teacher@{_epoch}"))
    if _before:
        _model["student_weights"] = f"run:rco_{_before}"
    runs[f"rco_{_epoch}"] = dict(
        model=_model, train_cfg=dict(max_epochs=5), param_scheduler=[_schedule]
    )
