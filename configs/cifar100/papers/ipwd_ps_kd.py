"""IPWD's weights on PS-KD's past predictions, without a teacher: PreAct-ResNet-18, three seeds.

PS-KD's own schedule (arXiv:2006.12000); the weights act in the later half, which is ours.
"""

from mmengine.config import read_base

from cls_kd.distillers import Distiller
from cls_kd.losses import TaskLoss

with read_base():
    from ..._base_.datasets.cifar100 import *
    from ..._base_.runtime.default import *
    from ..._base_.schedules.cifar_online_300 import *
    from ...networks.cifar_preact_resnet18 import *

train_dataloader.update(batch_size=128)
model = dict(type=Distiller, student=cifar_preact_resnet18, losses=dict(ce=dict(type=TaskLoss)))
_seeds = [0, 1, 2]
_printed = dict(ipwd=dict(direction="printed", normalize=True))
_inverse = dict(ipwd=dict(direction="inverse", normalize=True))
runs = dict(
    ce=dict(seeds=_seeds),
    ps_kd=dict(method="ps_kd", seeds=_seeds),
    ipwd_printed=dict(method="ipwd_ps_kd", seeds=_seeds, model=dict(losses=_printed)),
    ipwd_inverse=dict(method="ipwd_ps_kd", seeds=_seeds, model=dict(losses=_inverse)),
)
report = dict(baseline="ce", title="CIFAR-100: IPWD on PS-KD, PreAct-ResNet-18")
analyses = [dict(type="comparisons", pairs=[("ipwd_printed", "ps_kd"), ("ipwd_inverse", "ps_kd")])]
