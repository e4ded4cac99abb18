"""ImageNet-1k as mmpretrain trains RegNets, after pycls: BGR, and lighting noise along PCA axes.

128 images a GPU, for 8 GPUs.
"""

from mmengine.config import read_base
from mmpretrain.datasets.transforms import Lighting

with read_base():
    from .imagenet_cv2 import *

data_preprocessor.update(mean=[103.53, 116.28, 123.675], std=[57.375, 57.12, 58.395], to_rgb=False)
train_dataloader["dataset"]["pipeline"].insert(
    3,
    dict(
        type=Lighting,
        alphastd=25.5,
        eigval=[0.2175, 0.0188, 0.0045],
        eigvec=[
            [-0.5836, -0.6948, 0.4203],
            [-0.5808, -0.0045, -0.814],
            [-0.5675, 0.7192, 0.4009],
        ],
        to_rgb=False,
    ),
)
train_dataloader.update(batch_size=128)
