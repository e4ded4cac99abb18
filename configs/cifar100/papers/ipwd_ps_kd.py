"""IPWD's weights on PS-KD's past predictions, without a teacher: PreAct-ResNet-18, three seeds.

PS-KD's own schedule (arXiv:2006.12000); the weights act in the later half, which is ours.
"""

from mmengine.config import read_base

from cls_kd.distillers import Distiller
from cls_kd.losses import IPWDSelfLoss, PSKDLoss, TaskLoss

with read_base():
    from ..._base_.datasets.cifar100 import *
    from ..._base_.runtime.default import *
    from ..._base_.schedules.cifar_online_300 import *
    from ...networks.cifar_preact_resnet18 import *

train_dataloader.update(batch_size=128)
model = dict(type=Distiller, student=cifar_preact_resnet18, losses=dict(ce=dict(type=TaskLoss)))
seeds = [0, 1, 2]
ps_kd = dict(_delete_=True, ps_kd=dict(type=PSKDLoss, alpha=0.8))
late = dict(start=0.5, normalize=True)
printed = dict(_delete_=True, ipwd=dict(type=IPWDSelfLoss, direction="printed", **late))
inverse = dict(_delete_=True, ipwd=dict(type=IPWDSelfLoss, direction="inverse", **late))
runs = [
    dict(name="ce", seeds=seeds),
    dict(name="ps_kd", seeds=seeds, model=dict(losses=ps_kd)),
    dict(name="ipwd_printed", seeds=seeds, model=dict(losses=printed)),
    dict(name="ipwd_inverse", seeds=seeds, model=dict(losses=inverse)),
]
report = dict(baseline="ce", title="CIFAR-100: IPWD on PS-KD, PreAct-ResNet-18")
analyses = [dict(type="comparisons", pairs=[("ipwd_printed", "ps_kd"), ("ipwd_inverse", "ps_kd")])]
