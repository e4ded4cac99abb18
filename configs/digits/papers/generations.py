"""Five chains of generations: a strict patriarch, born-again networks, three tolerant patriarchs.

cls-kd train digits/papers/generations
docs/papers/generations.md says what came out.
"""

from mmengine.config import read_base

from cls_kd.distillers import Distiller
from cls_kd.losses import ConfidencePenaltyLoss, LabelSmoothingLoss, TSDLoss
from cls_kd.runs.generations import generations

with read_base():
    from ..._base_.datasets.digits import *
    from ..._base_.runtime.default import *
    from ..._base_.schedules.digits import *
    from ...networks.digits_student import *

from mmengine.dataset import RepeatDataset

model = dict(type=Distiller, student=digits_student)
# The data of configs/digits/pair.py: 100 labeled images, ten times an epoch, 400 steps in all.
_few_images = dict(**train_dataloader["dataset"], labelled=100)
train_dataloader["dataset"] = dict(type=RepeatDataset, times=10, dataset=_few_images)

# D(eta, lambda): eta weighs the patriarch's labels, lambda the teacher of all who follow.
_chain = dict(type=generations, students=3, lambda_=0.6, seeds=[0, 1, 2, 3, 4])
runs = dict(
    strict=dict(**_chain),
    born_again=dict(**{**_chain, "lambda_": 1.0}, patriarch="strict_0"),
    tsd=dict(**_chain, eta=0.6, tolerance=dict(type=TSDLoss, k=5)),
    smoothing=dict(**_chain, eta=0.6, tolerance=dict(type=LabelSmoothingLoss)),
    penalty=dict(**_chain, eta=0.6, tolerance=dict(type=ConfidencePenaltyLoss)),
)
report = dict(baseline="strict_0", title="Digits: generations of one network on 100 images")
analyses = [
    dict(type="generations", baseline="strict_0"),
    dict(type="generation_calibration"),
    # Similar classes: Ward's clusters of the classes' mean training images, four of them.
    dict(type="secondary_information", k=5, superclasses=[0, 1, 1, 2, 3, 2, 3, 1, 1, 2]),
]

default_hooks["checkpoint"].update(interval=20)
train_cfg.update(val_interval=5)
console_log_level = "ERROR"
# One thread is enough for networks this small.
cpu_threads = 1
