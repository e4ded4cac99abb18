# As megvii-research/mdistiller, 8 GPUs x 64; its teacher is torchvision's.
from mmengine.config import read_base

with read_base():
    from ....methods.at import *
    from ....pairs.imagenet.resnet50_mobilenet_v1 import *

    # isort: split
    from ...._base_.schedules.imagenet_mdistiller_100 import *

train_dataloader.update(batch_size=64)
model["losses"] = losses
