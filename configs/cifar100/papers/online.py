"""CIFAR-100, ResNet-32: OKDMDE and other online methods, as in _base_/protocols/online.py."""

from mmengine.config import read_base

with read_base():
    from ..._base_.datasets.cifar100 import *
    from ..._base_.protocols.online import *
    from ...networks.cifar_resnet32 import *

train_dataloader.update(batch_size=128)
model["student"] = dict(cifar_resnet32, cut_after="layer2", **branches)
runs["student"]["model"]["student"] = dict(cifar_resnet32, _delete_=True)
report = dict(baseline="student", title="CIFAR-100, ResNet-32: online distillation")
