# ImageNet, as google-research/big_vision: the teacher's distribution alone; both networks see the
# same crop and the same mixup (configs/pairs/imagenet/bit_resnet152x2_bit_resnet50.py).
from cls_kd.losses import KDLoss

losses = dict(kd=dict(type=KDLoss, temperature=1.0))
