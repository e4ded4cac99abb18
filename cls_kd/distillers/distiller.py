"""The distiller for MMEngine's runner: built from configs, with a data preprocessor."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from cls_kd import core
from cls_kd.adapters.internals import is_plain
from cls_kd.adapters.samples import SampleBatch, Samples
from cls_kd.core.distiller import Losses
from cls_kd.core.fast_pass import set_layout
from cls_kd.core.terms import LossConfig, build_terms
from cls_kd.distillers.build_loss import build_registered_loss, build_registered_schedule
from cls_kd.distillers.freezing import freeze, untrained_classifier
from cls_kd.distillers.images import read_normalization
from cls_kd.distillers.networks import NetworkConfig, build_network, build_with_weights
from cls_kd.distillers.teacher import build_teacher
from cls_kd.registry import MODELS
from cls_kd.signals.batch import Mixture
from cls_kd.signals.heads import describe, direct_criterion_of

TeacherConfig = Mapping[str, Any] | core.Teacher


@MODELS.register_module()
class Distiller(core.Distiller, BaseModel):
    """`cls_kd.Distiller` as a model of MMEngine: validation and test see the student only.

    ``notes`` says in words where student and teachers come from.

    Args:
        student: Config or name of a classifier (see ``distillers.networks``).
        losses: Name to the config of a loss; the name stands in the log. Cross-entropy is one of
            them: ``ce=dict(type='TaskLoss')``.
        teacher: Config of a ``Teacher``, or a list of such configs; None where no loss needs one.
        input_shape: Shape of one image, ``(3, 224, 224)``; the engine fills it from the data.
        num_samples: Length of the training set, for losses with a memory bank; the engine fills it.
        classes: Names of the classes in the order of the labels, for a teacher with other classes;
            the engine fills it from the data.
        student_weights: Initial weights of the student, as a teacher's ``weights``. Default: its
            own initialization.
        student_frozen: Names (patterns with ``*``) of the student's modules and parameters that are
            not trained and stay in eval mode (see ``distillers.freezing``);
            ``'all_but_classifier'``: all but the last linear layer. Default: none.
        student_taps: Taps that differ from those of the student (see ``signals.taps``).
        student_channels_last: See `cls_kd.Distiller`.
        direct_cross_entropy: See `cls_kd.Distiller`.
        data_preprocessor: Config as of mmpretrain's; its default type is ``BatchPreprocessor``.
        init_cfg: MMEngine's.

    Attributes:
        captured_step: Takes the place of a training step, from a CUDA graph
            (`cls_kd.engine.captured_step`). None: none does.

    Raises:
        UserError: A loss asks for something that does not exist or that these networks lack.
    """

    data_preprocessor: Any
    captured_step: Callable[[Any], dict[str, Tensor]] | None = None

    def __init__(
        self,
        student: NetworkConfig | nn.Module,
        losses: Mapping[str, LossConfig],
        teacher: TeacherConfig | Sequence[TeacherConfig] | None = None,
        *,
        input_shape: Sequence[int] | None = None,
        num_samples: int | None = None,
        classes: Sequence[str] | None = None,
        student_weights: str | Mapping[str, Any] | None = None,
        student_frozen: str | Sequence[str] = (),
        student_taps: Mapping[str, str | tuple[str, ...]] | None = None,
        student_channels_last: bool = False,
        direct_cross_entropy: bool = False,
        data_preprocessor: Mapping[str, Any] | nn.Module | None = None,
        init_cfg: Mapping[str, Any] | None = None,
    ) -> None:
        BaseModel.__init__(self, _build_preprocessor(data_preprocessor), init_cfg)
        terms = build_terms(losses, build_registered_loss, build_registered_schedule)
        network, notes = _build_student(student, student_weights)
        if student_channels_last:
            set_layout(network, channels_last=True)
        untrained = untrained_classifier(network, terms)
        frozen = [student_frozen] if isinstance(student_frozen, str) else student_frozen
        self._in_eval_mode = freeze(network, [*frozen, *untrained])
        self._connect(terms, network, _build_teachers(teacher), student_taps)
        if direct_cross_entropy:
            self.source.criterion = direct_criterion_of
        if hasattr(self.data_preprocessor, "follow"):
            self.data_preprocessor.follow(self.time)
        for item in self.teachers:
            item.match(read_normalization(self.data_preprocessor))
        self._measure(input_shape, num_samples, classes)
        if untrained:
            notes.append(f"No loss asks for the student's logits: {untrained[0]} is not trained.")
        self.notes = [*notes, *self.notes, *(f"Teacher: {item.note}" for item in self.teachers)]

    def forward(  # type: ignore[override]
        self,
        inputs: Tensor,
        data_samples: Samples | None = None,
        mode: str = "tensor",
        pair_inputs: Tensor | None = None,
        view_inputs: Tensor | None = None,
        mixture: Mixture | None = None,
    ) -> Any:
        """``mode='loss'`` gives the weighted losses by name; any other is the student's own."""
        if mode == "loss":
            return self.loss(
                inputs,
                data_samples,
                pair_inputs=pair_inputs,
                view_inputs=view_inputs,
                mixture=mixture,
            )
        return self.student(inputs, data_samples, mode)

    def loss(  # type: ignore[override]
        self,
        images: Tensor,
        labels: Tensor | Samples | None = None,
        *,
        index: Tensor | None = None,
        pair_inputs: Tensor | None = None,
        view_inputs: Tensor | None = None,
        mixture: Mixture | None = None,
    ) -> Losses:
        """As `cls_kd.Distiller.loss`; labels may be mmpretrain's data samples."""
        if labels is None or isinstance(labels, Tensor):
            return super().loss(
                images,
                labels,
                index=index,
                pair_inputs=pair_inputs,
                view_inputs=view_inputs,
                mixture=mixture,
            )
        batch = SampleBatch(
            images,
            labels,
            self.num_classes,
            pairs=pair_inputs,
            views=view_inputs,
            mixture=mixture,
            time=self.time,
        )
        return self.step(batch)

    def parse_losses(  # type: ignore[override]
        self, losses: Losses
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum of the terms that count, and all terms for the log, as MMEngine's.

        Args:
            losses: Scalars by name, as `loss` returns them.
        """
        counted = [value for name, value in losses.items() if "loss" in name]
        # In MMEngine's order, for the same bits; without a mean of each scalar.
        total = reduce(operator.add, counted)
        return total, {"loss": total, **losses}

    def train_step(self, data: Any, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """As MMEngine's, without a context and a division that have no effect here.

        Args:
            data: A batch, as the loader gives it.
            optim_wrapper: Any; where it is a plain one without accumulation, less is done.

        Returns:
            The sum and all terms, for the log.
        """
        if self.captured_step is not None:
            return self.captured_step(data)
        if not is_plain(optim_wrapper):
            return super().train_step(data, optim_wrapper)
        ready = self.data_preprocessor(data, True)
        total, terms = self.parse_losses(self(**ready, mode="loss"))
        optim_wrapper.backward(total)
        optim_wrapper.step()
        optim_wrapper.zero_grad()
        return terms

    def train(self, mode: bool = True) -> Distiller:
        """As PyTorch's; frozen modules stay in eval mode."""
        super().train(mode)
        for module in self._in_eval_mode:
            module.eval()
        return self

    def get_layer_depth(self, param_name: str) -> tuple[int, int]:
        """Depth of a parameter and number of depths, for layer-wise learning-rate decay.

        The student's own; the parameters of losses count as its last layer, at the full rate.

        Raises:
            NotImplementedError: The student does not know its depths.
        """
        depth_of = getattr(self.student, "get_layer_depth", None)
        if depth_of is None:
            raise NotImplementedError(f"{describe(self.student)} has no get_layer_depth")
        depth, depths = depth_of(param_name.removeprefix("student."))
        return (depth if param_name.startswith("student.") else depths - 1), depths

    def teacher_step(self, data: Any, index: int = 0) -> list[DataSample]:
        """As ``val_step``, by a teacher: its predictions on a batch of data."""
        data = self.data_preprocessor(data, False)
        return self.teachers[index].predict(data["inputs"], data["data_samples"])


def _build_student(
    student: NetworkConfig | nn.Module, weights: str | Mapping[str, Any] | None
) -> tuple[nn.Module, list[str]]:
    if weights is None:
        return build_network(student), []
    network, note = build_with_weights(student, weights)
    return network, [f"Student: {note}"]


def _build_teachers(teacher: TeacherConfig | Sequence[TeacherConfig] | None) -> list[Any]:
    configs: list[Any] = list(teacher or ()) if isinstance(teacher, list | tuple) else [teacher]
    configs = [config for config in configs if config is not None]
    return [build_teacher(config) if isinstance(config, Mapping) else config for config in configs]


def _build_preprocessor(preprocessor: Mapping[str, Any] | nn.Module | None) -> nn.Module:
    if isinstance(preprocessor, nn.Module):
        return preprocessor
    return MODELS.build({"type": "BatchPreprocessor", **(preprocessor or {})})
