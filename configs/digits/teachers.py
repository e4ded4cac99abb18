"""Three teachers of one architecture, and a student that sees 100 of their images.

cls-kd train digits/teachers --method aekd
"""

from mmengine.config import read_base

with read_base():
    from .pair import *

from cls_kd.losses import AverageTeachersLoss, TaskLoss

model["teacher"] = [
    dict(network=digits_teacher, weights=f"run:teacher_{number}") for number in (1, 2, 3)
]
model["losses"] = dict(ce=dict(type=TaskLoss), aver_mkd=dict(type=AverageTeachersLoss))
# They see the same images in another order, and start from other weights.
runs = {f"teacher_{number}": dict(**teacher, seed_shift=number) for number in (1, 2, 3)}
runs["{method}"] = dict()
method = "aver_mkd"
