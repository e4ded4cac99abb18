"""A small vision transformer taught by a CNN; 100 labeled images.

cls-kd train digits/transformer_of_cnn --method cumulative_spatial
"""

from mmengine.config import read_base

with read_base():
    from .transformer import *

model["teacher"] = dict(network=digits_teacher, weights="run:teacher")
# The CNN is trained as in pair.py.
teacher["model"]["student"] = dict(_delete_=True, **digits_teacher)
teacher["optim_wrapper"] = dict(optimizer=dict(_delete_=True, **cnn_optimizer))
runs = {"teacher": teacher, "{method}": dict()}
