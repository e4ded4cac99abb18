# As megvii-research/mdistiller, 8 GPUs x 64.
from mmengine.config import read_base

with read_base():
    from ....methods.kd import *
    from ....pairs.imagenet.resnet50_mobilenet_v1_torchvision import *

    # isort: split
    from ...._base_.schedules.imagenet_mdistiller_100 import *

train_dataloader.update(batch_size=64)
losses["ce"].update(weight=0.5)
losses["kd"].update(temperature=1.0, weight=0.5)
model["losses"] = losses
