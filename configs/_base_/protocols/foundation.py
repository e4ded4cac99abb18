"""A student of a foundation model: images without labels first, then labeled ones (ours).

    data/unlabeled/**/*.jpg     any images, any folders
    data/labeled/train/<class>/*.jpg, data/labeled/val/<class>/*.jpg

Runs: pre-training on the first; a probe and fine-tuning on the second; and two controls, the
labeled images alone, and KD from the foundation model with a classifier trained on them. AdamW and
learning rate of pre-training are those of lightly-ai/lightly-train's third version of distillation.
"""

from mmengine.config import read_base
from mmengine.dataset import DefaultSampler
from mmengine.optim import CosineAnnealingLR, LinearLR, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop
from mmpretrain.datasets.transforms import (
    LoadImageFromFile,
    PackInputs,
    RandomFlip,
    RandomResizedCrop,
)
from mmpretrain.models import TimmClassifier
from torch.optim import AdamW

from cls_kd.data import UnlabeledFolder
from cls_kd.distillers import Distiller
from cls_kd.engine.probe_loop import ProbeValLoop
from cls_kd.evaluation import KNNProbe, LinearProbe
from cls_kd.losses import EmbeddingRegressionLoss, KDLoss, PatchRegressionLoss, TaskLoss

with read_base():
    from ..datasets.image_folder import *
    from ..runtime.default import *

_classes = 10
_data = "data/labeled"
train_dataloader["dataset"]["data_root"] = val_dataloader["dataset"]["data_root"] = _data
# The larger ones: vit_base, vit_large, vit_huge_plus, vit_7b (dtype="bfloat16", shard=True).
_name = "vit_small_patch16_dinov3.lvd1689m"
foundation_model = dict(_delete_=True, network=f"timm/{_name}", input_size=224)

_labeled = dict(
    batch_size=64,
    num_workers=4,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(val_dataloader["dataset"], data_prefix="train"),
)
_unlabeled = dict(
    batch_size=256,
    dataset=dict(
        _delete_=True,
        type=UnlabeledFolder,
        data_root="data/unlabeled",
        pipeline=[
            dict(type=LoadImageFromFile),
            dict(type=RandomResizedCrop, scale=224, backend="pillow", interpolation="bicubic"),
            dict(type=RandomFlip, prob=0.5, direction="horizontal"),
            dict(type=PackInputs),
        ],
    ),
)

model = dict(
    type=Distiller,
    student=dict(type=TimmClassifier, model_name="resnet50", num_classes=_classes),
    teacher=None,
    losses=dict(ce=dict(type=TaskLoss)),
)
optim_wrapper = dict(type=OptimWrapper, optimizer=dict(type=AdamW, lr=1e-4, weight_decay=0.05))
param_scheduler = [
    dict(type=LinearLR, start_factor=1e-3, by_epoch=True, end=2, convert_to_iter_based=True),
    dict(type=CosineAnnealingLR, by_epoch=True, begin=2, end=50, convert_to_iter_based=True),
]
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=50, val_interval=5)

_pretraining = dict(
    model=dict(
        teacher=foundation_model,
        losses=dict(
            _delete_=True,
            embedding=dict(type=EmbeddingRegressionLoss),
            patches=dict(type=PatchRegressionLoss),
        ),
    ),
    train_dataloader=_unlabeled,
    optim_wrapper=dict(optimizer=dict(lr=5e-4)),
    param_scheduler=[
        dict(type=LinearLR, start_factor=1e-3, by_epoch=True, end=5, convert_to_iter_based=True),
        dict(type=CosineAnnealingLR, by_epoch=True, begin=5, end=100, convert_to_iter_based=True),
    ],
    train_cfg=dict(max_epochs=100),
    val_cfg=dict(type=ProbeValLoop, labeled=_labeled),
    val_evaluator=dict(
        _delete_=True, metrics=[dict(type=KNNProbe, neighbors=20), dict(type=LinearProbe)]
    ),
)
_from_pretraining = dict(student_weights="run:pretrain")
_teacher = dict(type=TimmClassifier, model_name=_name, num_classes=_classes, img_size=224)

runs = dict(
    pretrain=_pretraining,
    probe=dict(model=dict(**_from_pretraining, student_frozen="all_but_classifier")),
    finetune=dict(model=_from_pretraining),
    labels=dict(),
    supervised=dict(
        model=dict(
            student=dict(_delete_=True, **_teacher),
            student_weights="pretrained",
            student_frozen="all_but_classifier",
        )
    ),
    kd=dict(
        model=dict(
            teacher=dict(_delete_=True, network=_teacher, weights="run:supervised"),
            losses=dict(ce=dict(weight=0.1), kd=dict(type=KDLoss, weight=0.9)),
        )
    ),
)
report = dict(baseline="labels", references=["supervised"], title="A student of DINOv3")
