# As jingyang2017/SRRL, 8 GPUs x 64.
from mmengine.config import read_base

with read_base():
    from ....methods.srrl import *
    from ....pairs.imagenet.resnet50_mobilenet_v1_torchvision import *

    # isort: split
    from ...._base_.schedules.imagenet_mdistiller_100 import *

train_dataloader.update(batch_size=64)
losses["srrl"].update(alpha=1.0, beta=1.0)
model["losses"] = losses
