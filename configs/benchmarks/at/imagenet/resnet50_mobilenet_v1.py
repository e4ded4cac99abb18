# As megvii-research/mdistiller, 8 GPUs x 64; its student lists no stem, hence the pairs of stages.
from mmengine.config import read_base

with read_base():
    from ....methods.at import *
    from ....pairs.imagenet.resnet50_mobilenet_v1_torchvision import *

    # isort: split
    from ...._base_.schedules.imagenet_mdistiller_100 import *

train_dataloader.update(batch_size=64)
losses["at"].update(stages=[(1, 0), (2, 1), (3, 2)])
model["losses"] = losses
