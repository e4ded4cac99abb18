"""Pre-training on images without labels, by a teacher's embeddings, then 100 labels.

A teacher has seen 1,135 digits with labels. The student sees the same images without labels, and
100 of them with: a probe of what it has learned, or fine-tuning, against the labels alone and
against KD on the 100.
"""

from mmengine.config import read_base
from mmengine.dataset import DefaultSampler
from mmpretrain.datasets.transforms import PackInputs

from cls_kd.data import Digits, RandomShift, Unlabeled
from cls_kd.engine.probe_loop import ProbeTestLoop, ProbeValLoop
from cls_kd.evaluation import KNNProbe, LinearProbe
from cls_kd.losses import EmbeddingRegressionLoss, TaskLoss

with read_base():
    from .pair import *

_seeds = list(range(10))
_shifted = [dict(type=RandomShift, pixels=1), dict(type=PackInputs)]
_labeled = dict(
    batch_size=250,
    num_workers=0,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(type=Digits, split="train", labelled=100, pipeline=[dict(type=PackInputs)]),
)
_probes = [dict(type=KNNProbe, neighbors=10), dict(type=LinearProbe)]

pretraining = dict(
    seeds=_seeds,
    model=dict(
        losses=dict(
            _delete_=True,
            embedding=dict(type=EmbeddingRegressionLoss, distance="cosine_smooth_l1", head="mlp"),
        )
    ),
    train_dataloader=dict(
        dataset=dict(
            _delete_=True,
            type=Unlabeled,
            dataset=dict(type=Digits, split="train", pipeline=_shifted),
        )
    ),
    val_cfg=dict(type=ProbeValLoop, labeled=_labeled),
    test_cfg=dict(type=ProbeTestLoop, labeled=_labeled),
    val_evaluator=dict(_delete_=True, metrics=_probes),
    test_evaluator=dict(_delete_=True, metrics=_probes),
)
_from_pretraining = dict(
    teacher=None,
    student_weights="run:pretrain",
    losses=dict(_delete_=True, ce=dict(type=TaskLoss)),
)

runs = dict(
    teacher=teacher,
    pretrain=pretraining,
    probe=dict(seeds=_seeds, model=dict(**_from_pretraining, student_frozen="all_but_classifier")),
    # From the trained classifier on, and gently: a new one would undo what was learned before.
    finetune=dict(
        seeds=_seeds,
        model=dict(_from_pretraining, student_weights="run:probe"),
        optim_wrapper=dict(optimizer=dict(lr=0.02)),
    ),
    labels=dict(method="ce", seeds=_seeds, model=dict(teacher=None)),
    kd=dict(method="kd", seeds=_seeds),
)
report = dict(
    baseline="labels",
    references=["teacher"],
    title="Digits: 1,135 images without labels, and 100 with",
)
default_hooks["checkpoint"].update(interval=20)
train_cfg.update(val_interval=5)
console_log_level = "ERROR"
