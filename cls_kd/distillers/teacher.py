"""The frozen teacher from a config: its network by name, with weights that must fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmpretrain.structures import DataSample
from torch import Tensor, nn

from cls_kd import core
from cls_kd.adapters.samples import Samples
from cls_kd.core.stored_teacher import StoredTeacher
from cls_kd.distillers.class_names import known_names
from cls_kd.distillers.foundation import FoundationTeacher, is_foundation
from cls_kd.distillers.images import own_normalization
from cls_kd.distillers.networks import (
    PUBLISHED,
    NetworkConfig,
    build_network,
    build_with_weights,
)
from cls_kd.distillers.weights import weights_config
from cls_kd.errors import UserError
from cls_kd.registry import MODELS
from cls_kd.signals.heads import describe
from cls_kd.teacher_store import StoreOptions

UNTRAINED = "random"
"""``weights='random'``: an untrained teacher, explicitly requested; for benchmarks and tests."""


@MODELS.register_module()
class Teacher(core.Teacher):
    """`cls_kd.Teacher` from a config.

    Args:
        network: Config or name of a classifier (see ``distillers.networks``).
        weights: Path or URL of a checkpoint of ours, of mmpretrain's, or of safetensors;
            ``'pretrained'`` (published under the network's name); ``'random'`` (untrained);
            or ``dict(source=..., drop_classifier=True)``.
        name: See `cls_kd.Teacher`.
        data_preprocessor: ``dict(mean=..., std=..., to_rgb=...)`` where the teacher was trained
            with another normalization than the student's. Default: the one that the network brings
            along, if any, else the student's.
        taps: See `cls_kd.Teacher`.
        input_size: See `cls_kd.Teacher`.
        interpolation: See `cls_kd.Teacher`.
        classes: See `cls_kd.Teacher`. Default: the names that are known of the weights (see
            ``class_names.known_names``); none: the student's classes.
        class_map: See `cls_kd.Teacher`.
        fold_batch_norm: See `cls_kd.Teacher`.
        channels_last: See `cls_kd.Teacher`.
        dtype: See `cls_kd.Teacher`.
        compile: See `cls_kd.Teacher`.
        train_mode: See `cls_kd.Teacher`.
        parameter_dtype: See `cls_kd.Teacher`.
        shard: See `cls_kd.Teacher`.

    Raises:
        UserError: No weights, or weights that do not fit; an option that makes no sense.
    """

    def __init__(
        self,
        network: NetworkConfig | nn.Module,
        weights: str | Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        data_preprocessor: Mapping[str, Any] | None = None,
        taps: Mapping[str, str | tuple[str, ...]] | None = None,
        input_size: int | Sequence[int] | None = None,
        interpolation: str = "bicubic",
        classes: str | Sequence[str] | None = None,
        class_map: Mapping[str, str] | None = None,
        fold_batch_norm: bool = True,
        channels_last: bool | None = None,
        dtype: str = "float32",
        compile: bool | Mapping[str, Any] = False,
        train_mode: bool = False,
        parameter_dtype: str | None = None,
        shard: bool = False,
    ) -> None:
        built, note = _built(network, weights)
        published = weights is not None and weights_config(weights)["source"] == PUBLISHED
        super().__init__(
            built,
            name=name,
            normalization=own_normalization(built, data_preprocessor, published=published),
            taps=taps,
            input_size=input_size,
            interpolation=interpolation,
            classes=classes,
            class_map=class_map,
            fold_batch_norm=fold_batch_norm,
            channels_last=channels_last,
            dtype=dtype,
            compile=compile,
            train_mode=train_mode,
            parameter_dtype=parameter_dtype,
            shard=shard,
        )
        self.note = note
        if train_mode:
            self.note += " It runs in TRAINING MODE (train_mode=True): its batch statistics drift."
        self.classes = self.classes or known_names(built, published=published)

    def predict(self, inputs: Tensor, data_samples: Samples) -> list[DataSample]:
        """The teacher's predictions among the student's classes, as mmpretrain's classifiers'."""
        if self.class_indices is None:
            images = self.fast.inputs(self.normalize_inputs(inputs))
            with self.fast.precision(images.device):
                return self.network(images, data_samples, mode="predict")
        scores = self.logits(inputs).softmax(dim=1)
        labels = scores.argmax(dim=1, keepdim=True)
        return [
            sample.set_pred_score(score).set_pred_label(label)
            for sample, score, label in zip(data_samples, scores, labels, strict=True)
        ]


def teacher_class(config: Mapping[str, Any]) -> type[core.Teacher]:
    """The class that a teacher's config is for, by the name of its network."""
    return FoundationTeacher if is_foundation(config) else Teacher


def build_teacher(config: Mapping[str, Any]) -> Any:
    """A teacher from its config; with ``store``, one whose outputs are stored.

    Args:
        config: Arguments of `Teacher`, and ``store``, those of `cls_kd.teacher_store.StoreOptions`.

    Raises:
        UserError: See `Teacher` and `StoreOptions`.
    """
    arguments = dict(config)
    store = arguments.pop("store", None)
    teacher = MODELS.build({"type": teacher_class(config), **arguments})
    if store is None:
        return teacher
    if not isinstance(store, Mapping):
        raise UserError(
            f"teacher: store must be a dict of options, dict() for none, not {store!r}."
        )
    return StoredTeacher(teacher, StoreOptions(**store))


def _built(
    network: NetworkConfig | nn.Module, weights: str | Mapping[str, Any] | None
) -> tuple[nn.Module, str]:
    if weights is None:
        raise UserError(
            "The teacher has no weights: give teacher=dict(network=..., weights=...) the "
            "checkpoint's path or URL, 'pretrained' for those published under its name, or "
            "'random' if an untrained teacher is really meant."
        )
    if weights == UNTRAINED:
        built = build_network(network)
        return built, f"{describe(built)} is UNTRAINED (weights='random')."
    return build_with_weights(network, weights)
