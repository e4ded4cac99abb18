# As megvii-research/mdistiller, 8 GPUs x 64.
from mmengine.config import read_base

with read_base():
    from ....methods.dkd import *
    from ....pairs.imagenet.resnet34_resnet18_torchvision import *

    # isort: split
    from ...._base_.schedules.imagenet_mdistiller_100 import *

train_dataloader.update(batch_size=64)
losses["dkd"].update(beta=0.5, temperature=1.0, weight=1.0)
model["losses"] = losses
