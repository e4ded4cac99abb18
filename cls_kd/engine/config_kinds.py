"""Which part of a config is given to what: a registry, or one function or class."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from mmcv.transforms import KeyMapper, RandomApply, RandomChoice
from mmengine.evaluator import Evaluator
from mmengine.registry import FUNCTIONS, Registry
from mmengine.runner import set_random_seed
from mmengine.utils.dl_utils import set_multi_processing
from mmpretrain.datasets.transforms import ApplyToList, MultiView
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.utils.data import DataLoader

from cls_kd import registry
from cls_kd.distillers.teacher import teacher_class
from cls_kd.teacher_store import StoreOptions

Default = Callable[[Mapping[str, Any]], str | Callable[..., Any] | None]
_OF_TRANSFORMS = (KeyMapper, RandomApply, RandomChoice, MultiView, ApplyToList)


def _none(_: Mapping[str, Any]) -> None:
    return None


@dataclass(frozen=True)
class Kind:
    """Class or function that a dict of a config is given to.

    Attributes:
        registry: Where its ``type`` is looked up; None: there is no ``type``.
        target: The class or function that gets it, where there is no ``type``.
        default: The ``type`` of a dict that has none; without a registry, the target.
        example: A ``type``, for messages.
        extra: Keys that the builder reads before the class gets the rest.
        given: Arguments that the builder gives. None: which arguments have to be there is left to
            the builder, who is called before anything is written.
        needed: Keys that have to be there.
        inside: Key to the kind of what it holds.
        only: ``inside`` holds for these classes alone.
        named: The dict holds names, and each value is of this kind.
        lenient: An unknown ``type`` is left to the builder, who has a message of its own.
    """

    registry: Registry | None = None
    target: Callable[..., Any] | None = None
    default: Default = _none
    example: str = ""
    extra: frozenset[str] = frozenset()
    given: frozenset[str] | None = None
    needed: frozenset[str] = frozenset()
    inside: Mapping[str, str] = field(default_factory=dict)
    only: tuple[type, ...] = (object,)
    named: str | None = None
    lenient: bool = False

    def inside_of(self, target: Callable[..., Any] | None) -> Mapping[str, str]:
        """``inside``, as far as it holds for ``target``."""
        fits = not inspect.isclass(target) or issubclass(target, self.only)
        return self.inside if fits else {}


def _always(kind: str | Callable[..., Any]) -> Default:
    return lambda _: kind


def _keys(*names: str, **inside: str) -> Kind:
    return Kind(extra=frozenset(names), inside=inside)


def _train_loop(value: Mapping[str, Any]) -> str | None:
    if "by_epoch" not in value:
        return None
    return "EpochBasedTrainLoop" if value["by_epoch"] else "IterBasedTrainLoop"


def _evaluator(value: Mapping[str, Any]) -> type | None:
    return Evaluator if "metrics" in value else None


def _clipper(value: Mapping[str, Any]) -> Callable[..., Any]:
    return clip_grad_value_ if value.get("type") == "value" else clip_grad_norm_


_NETWORK = {
    "backbone": "network",
    "neck": "network",
    "head": "network",
    "loss": "loss",
    "fusion": "loss",
    "data_preprocessor": "data_preprocessor",
    "init_cfg": "initialization",
}
_LOOP = frozenset({"runner", "dataloader", "evaluator"})
_LOADER = Kind(
    target=DataLoader,
    extra=frozenset({"num_batch_per_epoch", "disable_subprocess_warning", "on_error"}),
    needed=frozenset({"dataset", "sampler", "batch_size"}),
    inside={
        "dataset": "dataset",
        "sampler": "sampler",
        "batch_sampler": "sampler",
        "collate_fn": "function",
        "worker_init_fn": "function",
    },
)
_EVALUATOR = Kind(
    registry.METRICS,
    default=_evaluator,
    example="Accuracy",
    inside={"metrics": "metric"},
    given=frozenset(),
)
# The keys of MMEngine's DefaultOptimWrapperConstructor and of mmpretrain's
# LearningRateDecayOptimWrapperConstructor, as their documentation has them.
_PARAMWISE = _keys(
    "custom_keys",
    "bias_lr_mult",
    "bias_decay_mult",
    "norm_decay_mult",
    "flat_decay_mult",
    "dwconv_decay_mult",
    "dcn_offset_lr_mult",
    "bypass_duplicate",
    "layer_decay_rate",
    custom_keys="multipliers",
)

KINDS: dict[str, Kind] = {
    # Sections.
    "model": Kind(
        registry.MODELS,
        default=_always("Distiller"),
        inside={
            **_NETWORK,
            "student": "network",
            "teacher": "teacher",
            "losses": "losses",
            "student_weights": "weights",
        },
    ),
    "data_preprocessor": Kind(
        registry.MODELS,
        default=_always("BatchPreprocessor"),
        inside={"batch_augments": "batch_augments", "augment": "transform"},
    ),
    "train_dataloader": _LOADER,
    "val_dataloader": _LOADER,
    "test_dataloader": _LOADER,
    "train_cfg": Kind(
        registry.LOOPS,
        default=_train_loop,
        example="EpochBasedTrainLoop",
        extra=frozenset({"by_epoch"}),
        given=_LOOP,
    ),
    "val_cfg": Kind(
        registry.LOOPS,
        default=_always("ValLoop"),
        given=_LOOP,
        inside={"labeled": "val_dataloader"},
    ),
    "test_cfg": Kind(
        registry.LOOPS,
        default=_always("TestLoop"),
        given=_LOOP,
        inside={"labeled": "test_dataloader"},
    ),
    "val_evaluator": _EVALUATOR,
    "test_evaluator": _EVALUATOR,
    "optim_wrapper": Kind(
        registry.OPTIM_WRAPPERS,
        default=_always("OptimWrapper"),
        extra=frozenset({"constructor", "paramwise_cfg"}),
        inside={"optimizer": "optimizer", "paramwise_cfg": "paramwise", "clip_grad": "clip_grad"},
    ),
    "param_scheduler": Kind(
        registry.PARAM_SCHEDULERS,
        example="CosineAnnealingLR",
        extra=frozenset({"convert_to_iter_based", "epoch_length"}),
        given=frozenset({"optimizer", "param_name", "end"}),
    ),
    "auto_scale_lr": _keys("enable", "base_batch_size"),
    "default_hooks": Kind(named="hook"),
    "custom_hooks": Kind(
        registry.HOOKS, example="EMAHook", extra=frozenset({"priority"}), given=frozenset()
    ),
    "env_cfg": _keys("cudnn_benchmark", "mp_cfg", "dist_cfg", "resource_limit", mp_cfg="processes"),
    "randomness": Kind(target=set_random_seed),
    "log_processor": Kind(
        registry.LOG_PROCESSORS, default=_always("LogProcessor"), given=frozenset()
    ),
    "visualizer": Kind(
        registry.VISUALIZERS,
        default=_always("Visualizer"),
        inside={"vis_backends": "vis_backend"},
        given=frozenset(),
    ),
    "model_wrapper_cfg": Kind(
        registry.MODEL_WRAPPERS, default=_always("MMDistributedDataParallel")
    ),
    "compile": Kind(target=torch.compile),
    "custom_imports": _keys("imports", "allow_failed_imports"),
    # What is no section of a run. (``make_report`` is in a package beside this layer.)
    "report": _keys("baseline", "title", "references", "metric"),
    "analyses": Kind(registry.ANALYSES, extra=frozenset({"runs"}), lenient=True),
    "train_data": _keys("wrapper", "batch_sampler", wrapper="dataset", batch_sampler="sampler"),
    # Parts of sections.
    "network": Kind(registry.MODELS, example="ImageClassifier", inside=_NETWORK),
    "teacher": Kind(
        default=teacher_class,
        extra=frozenset({"store"}),
        inside={
            "network": "network",
            "weights": "weights",
            "data_preprocessor": "normalization",
            "store": "store",
        },
    ),
    "store": Kind(target=StoreOptions),
    "weights": _keys("source", "drop_classifier"),
    "normalization": _keys("mean", "std", "to_rgb"),
    "losses": Kind(named="loss"),
    "loss": Kind(
        registry.MODELS,
        lenient=True,
        extra=frozenset({"weight", "teacher", "group"}),
        inside={"weight": "schedule", "loss": "loss"},
    ),
    "schedule": Kind(registry.SCHEDULES, example="LinearWarmup"),
    "initialization": Kind(
        registry.WEIGHT_INITIALIZERS, extra=frozenset({"override"}), lenient=True
    ),
    "batch_augments": _keys("augments", "probs", augments="batch_augment"),
    "batch_augment": Kind(
        registry.BATCH_AUGMENTS, example="Mixup", inside={"augment": "batch_augment"}
    ),
    "dataset": Kind(
        registry.DATASETS,
        example="CustomDataset",
        inside={"dataset": "dataset", "datasets": "dataset", "pipeline": "transform"},
    ),
    "transform": Kind(
        registry.TRANSFORMS,
        example="PackInputs",
        inside={"transforms": "transform"},
        only=_OF_TRANSFORMS,
    ),
    "sampler": Kind(registry.DATA_SAMPLERS, example="DefaultSampler"),
    "function": Kind(FUNCTIONS, example="pseudo_collate"),
    "metric": Kind(registry.METRICS, example="Accuracy", given=frozenset()),
    "hook": Kind(
        registry.HOOKS, example="LoggerHook", extra=frozenset({"priority"}), given=frozenset()
    ),
    "vis_backend": Kind(
        registry.VISBACKENDS, example="LocalVisBackend", given=frozenset({"save_dir"})
    ),
    "optimizer": Kind(registry.OPTIMIZERS, example="SGD"),
    "paramwise": _PARAMWISE,
    "multipliers": Kind(named="multiplier"),
    "multiplier": _keys("lr_mult", "decay_mult"),
    "clip_grad": Kind(default=_clipper),
    "processes": Kind(target=set_multi_processing),
}
