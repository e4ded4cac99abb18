"""Ways in which a network teaches itself, or its like, against cross-entropy; five seeds each.

Settings are those of configs/methods, published for CIFAR-100 or ImageNet and not tuned here. The
teacher of Tf-KD self, BAN, BAN+L, CWTM and DKPP is the network of `ce` with the same seed; they
start from other weights than it did (`seed_shift`). docs/papers/baselines.md says what came
out.
"""

from mmengine.config import read_base

from cls_kd.data import ClassPairs, LastBatchSampler
from cls_kd.losses import (
    ConfidencePenaltyLoss,
    CSKDLoss,
    CWTMLoss,
    DKPPLoss,
    DLBLoss,
    KDLoss,
    LabelSmoothingLoss,
    PSKDLoss,
    TaskLoss,
    TfKDRegularizationLoss,
    TSDLoss,
)

with read_base():
    from ..pair import *

seeds = list(range(5))
model["teacher"] = dict(network=digits_student, weights="run:ce")
model["losses"] = ce = dict(ce=dict(type=TaskLoss))
few_images = train_dataloader["dataset"]
few_images["times"] = 5  # 10 steps an epoch, 200 in all

smooth = dict(ce=dict(weight=0.9), label_smoothing=dict(type=LabelSmoothingLoss, weight=0.1))
penalty = dict(confidence_penalty=dict(type=ConfidencePenaltyLoss, weight=0.1))
tsd = dict(ce=dict(weight=0.6), tsd=dict(type=TSDLoss, k=5, weight=0.4))
virtual = dict(type=TfKDRegularizationLoss, temperature=20.0, weight=0.1)
tfkd_reg = dict(ce=dict(weight=0.9), tfkd=virtual)
tfkd_self = dict(ce=dict(weight=0.05), kd=dict(type=KDLoss, temperature=6.0, weight=0.475))
ps_kd = dict(_delete_=True, ps_kd=dict(type=PSKDLoss, alpha=0.8))
cs_kd = dict(cs_kd=dict(type=CSKDLoss, temperature=4.0))
dlb = dict(dlb=dict(type=DLBLoss, temperature=3.0))
ban_l = dict(kd=dict(type=KDLoss, temperature=1.0))
ban = dict(_delete_=True, **ban_l)
cwtm = dict(_delete_=True, cwtm=dict(type=CWTMLoss))
dkpp = dict(_delete_=True, dkpp=dict(type=DKPPLoss))

pairs = dict(wrapper=dict(type=ClassPairs))
twice = dict(dataset=dict(times=10))  # 400 steps; DLB takes 380, as images come twice
halves = dict(batch_sampler=dict(type=LastBatchSampler))
runs = [
    dict(name="ce", seeds=seeds, model=dict(teacher=None)),
    dict(name="ce_twice", seeds=seeds, model=dict(teacher=None), train_dataloader=twice),
    dict(name="label_smoothing", seeds=seeds, model=dict(teacher=None, losses=smooth)),
    dict(name="confidence_penalty", seeds=seeds, model=dict(teacher=None, losses=penalty)),
    dict(name="tsd", seeds=seeds, model=dict(teacher=None, losses=tsd)),
    dict(name="tfkd_reg", seeds=seeds, model=dict(teacher=None, losses=tfkd_reg)),
    dict(name="ps_kd", seeds=seeds, model=dict(teacher=None, losses=ps_kd)),
    dict(name="cs_kd", seeds=seeds, model=dict(teacher=None, losses=cs_kd), train_data=pairs),
    dict(name="dlb", seeds=seeds, model=dict(teacher=None, losses=dlb), train_data=halves),
    dict(name="tfkd_self", seeds=seeds, seed_shift=1000, model=dict(losses=tfkd_self)),
    dict(name="ban", seeds=seeds, seed_shift=1000, model=dict(losses=ban)),
    dict(name="ban_l", seeds=seeds, seed_shift=1000, model=dict(losses=ban_l)),
    dict(name="cwtm", seeds=seeds, seed_shift=1000, model=dict(losses=cwtm)),
    dict(name="dkpp", seeds=seeds, seed_shift=1000, model=dict(losses=dkpp)),
]
report = dict(baseline="ce", title="Digits: students of 100 images that teach themselves")
default_hooks["checkpoint"].update(interval=20)
train_cfg.update(val_interval=20)
console_log_level = "ERROR"
