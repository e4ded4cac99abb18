# Several teachers; distances and dropping of naver/unic, PHI-S of RADIO, beside the labels.
from cls_kd.losses import TaskLoss, UNICLoss, UNICPatchLoss

losses = dict(
    ce=dict(type=TaskLoss),
    unic=dict(type=UNICLoss, dropping=0.5),
    unic_patches=dict(type=UNICPatchLoss, dropping=0.5),
)
