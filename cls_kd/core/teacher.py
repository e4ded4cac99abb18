"""The frozen teacher: eval mode, no gradient, its own view of images and classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.core.class_names import (
    Names,
    check_has_classes,
    checked_names,
    class_indices,
    read_names,
    shared_names,
)
from cls_kd.core.fast_pass import Agreement, FastPass, agreement, check_plain
from cls_kd.core.images import (
    checked_interpolation,
    checked_normalization,
    checked_size,
    columns,
    noise_like,
)
from cls_kd.core.sharding import check_whole, checked_dtype, digest_of, shard
from cls_kd.core.teacher_protocol import Shapes, check_module
from cls_kd.errors import UserError
from cls_kd.signals import Batch, NetworkSource
from cls_kd.signals.forward_from import Continued
from cls_kd.signals.heads import describe, has_classes, logits_of
from cls_kd.signals.network import Indices
from cls_kd.signals.vocabulary import OF_CLASSES


class Teacher(nn.Module):
    """A network that teaches and never learns.

    Whatever ``train()`` is called on it or on the distiller, it stays in eval mode (batch norm
    statistics, dropout), unless ``train_mode`` asks for the opposite. A copy of the distiller (an
    EMA) shares it instead of copying it.

    Args:
        network: A trained classifier.
        name: By which losses choose it (``teacher='name'``) where there are several. Default: its
            index in the list.
        normalization: ``dict(mean=..., std=..., to_rgb=...)`` where the network was trained with
            another normalization than the student's. Default: the student's.
        taps: Places that differ from what the network declares (see `cls_kd.signals.taps`).
        input_size: Height and width in pixels of the images that the teacher sees, one number for
            both: the student's images are resized to it, with anti-aliasing, on their device.
            Default: the student's images as they are.
        interpolation: ``'bicubic'`` (default) or ``'bilinear'``, for ``input_size``.
        classes: Names of the teacher's classes in the order of its outputs, or the path of a file
            with one name per line, where they differ from the student's: of its logits, those of
            the student's classes remain, in the student's order. Default: the student's classes.
        class_map: The teacher's name for a class of the student, where the names differ.
        fold_batch_norm: Fold each batch norm into the convolution before it: fewer operations, and
            logits that differ by rounding. Parameters, state dict and digest stay as they are.
            Default: True; a fold that changes logits by more than 1e-5 is not used.
        channels_last: Keep the network's maps in memory with the channels last, which is faster for
            many convolutional networks and changes rounding. Default: see
            `cls_kd.core.fast_pass.prefers_channels_last`.
        dtype: ``'float32'`` (default), or ``'bfloat16'`` for a pass under autocast. Callable
            signals (``teacher_classify`` and others) stay in float32.
        compile: ``torch.compile`` the network's body; a dict gives its options. Default: False.
        train_mode: Run the network in training mode in training steps: batch norm by the batch,
            dropout and stochastic depth act, running statistics drift. A fault of yzd-v/cls_KD, to
            reproduce its figures with (docs/protocols.md). Default: eval mode.
        parameter_dtype: ``'bfloat16'`` or ``'float16'`` to keep the parameters in half precision,
            which takes half the memory. Default: as the network is.
        shard: Divide the network's parameters among the processes of a distributed training (FSDP2;
            see `cls_kd.core.sharding`), for one that a single device cannot hold; nothing is folded
            then. Default: every process has the whole network.

    Attributes:
        has_student_classes: True if its logits are known to be of the student's classes, so that
            its accuracy can be measured.

    Raises:
        UserError: An option that makes no sense.
    """

    scale: Tensor
    shift: Tensor
    class_indices: Tensor | None

    def __init__(
        self,
        network: nn.Module,
        *,
        name: str | None = None,
        normalization: Mapping[str, Any] | None = None,
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
        parameter_dtype: str | torch.dtype | None = None,
        shard: bool = False,
    ) -> None:
        super().__init__()
        check_module("teacher", network)
        self.name = name
        self.note = describe(network)
        self.train_mode = train_mode
        self.shards = shard
        self.has_student_classes = has_classes(network)
        self.input_size = checked_size(input_size)
        self.interpolation = checked_interpolation(interpolation)
        self.classes: Names | None = None if classes is None else read_names(classes)
        self.class_map = dict(class_map or {})
        self._must_map = classes is not None or bool(self.class_map)
        self.network = network.requires_grad_(False).to(checked_dtype(parameter_dtype))
        if train_mode:
            check_plain(channels_last, dtype, compile)
        if train_mode or shard:
            fold_batch_norm, channels_last = False, False
        self.fast = FastPass(
            self.network,
            fold_batch_norm=fold_batch_norm,
            channels_last=channels_last,
            dtype=dtype,
            compile=compile,
        )
        self.taps = taps
        self.normalization = None if normalization is None else checked_normalization(normalization)
        self.flip = False
        self.register_buffer("scale", None, persistent=False)
        self.register_buffer("shift", None, persistent=False)
        self.register_buffer("class_indices", None, persistent=False)
        self.eval()

    @property
    def is_asked(self) -> bool:
        """True if any loss asks for one of its signals."""
        return bool(self.source.tensors or self.source.callables)

    def train(self, mode: bool = True) -> Teacher:
        """Stays in eval mode, whatever ``mode``."""
        return super().train(False)

    def __deepcopy__(self, memo: dict[int, Any]) -> Teacher:
        return self

    def attach(self, names: Mapping[str, Indices]) -> None:
        """Attach hooks to the network for the signals that the losses ask for.

        A later call replaces what was asked for before.

        Raises:
            UserError: A loss asks for logits, and the network has no classes.
        """
        self._logits_asked = sorted(OF_CLASSES & set(names))
        check_has_classes(self.network, self._logits_asked)
        source = getattr(self, "source", None)
        if source is not None:
            source.recorder.detach()
        self.source = NetworkSource("teacher", self.network, names, self.taps)
        if self.shards:
            check_whole(self.source.callables)

    def match(self, normalization: Mapping[str, Any]) -> None:
        """Prepare to convert images with the student's ``normalization`` to this teacher's."""
        student = checked_normalization(normalization)
        if self.normalization is None or self.normalization == student:
            return
        self.flip = student["to_rgb"] != self.normalization["to_rgb"]
        mean, std = columns(student, flip=self.flip)
        own_mean, own_std = columns(self.normalization)
        self.scale, self.shift = std / own_std, (mean - own_mean) / own_std

    def match_classes(self, classes: Sequence[str] | None, outputs: int, num_classes: int) -> None:
        """Prepare to give logits of the student's classes, in the student's order.

        Args:
            classes: Names of the student's classes; None where they are unknown.
            outputs: Number of the network's own logits.
            num_classes: Number of the student's.

        Raises:
            UserError: The names do not fit together, or are missing where they are needed.
        """
        names = self.classes
        if self._must_map:
            names = checked_names(self.classes, outputs)
            if classes is None:
                raise UserError(
                    "The teacher's classes cannot be found by name: the training data have no "
                    "class names. Give the student's: model=dict(classes=[...], ...)."
                )
            if len(classes) != num_classes:
                raise UserError(
                    "The teacher's classes cannot be found by name: the training data name "
                    f"{len(classes)} classes, and the student has {num_classes} outputs."
                )
        if names is None or classes is None or len(names) != outputs or len(classes) != num_classes:
            return
        student = tuple(str(name) for name in classes)
        if not self._must_map and outputs == num_classes and not shared_names(student, names):
            if student != names:
                self._remark(" Its classes have other names; they are taken in their order.")
            return
        indices = class_indices(student, names, self.class_map)
        if indices != list(range(outputs)):
            self.class_indices = torch.tensor(indices, device=self._device())
            self._remark(f" Of its {outputs} classes, {len(indices)} are the student's, by name.")

    def normalize_inputs(self, inputs: Tensor) -> Tensor:
        """The student's images in this teacher's normalization and size, (N, 3, h, w)."""
        if self.flip:
            inputs = inputs.flip(1)
        inputs = inputs if self.scale is None else inputs * self.scale + self.shift
        if self.input_size is None or inputs.shape[-2:] == self.input_size:
            return inputs
        return F.interpolate(
            inputs, self.input_size, mode=self.interpolation, antialias=True, align_corners=False
        )

    def select_classes(self, logits: Tensor) -> Tensor:
        """Of the network's own logits (N, C), those of the student's classes, (N, K)."""
        return logits if self.class_indices is None else logits.index_select(1, self.class_indices)

    @torch.no_grad()
    def forward(self, batch: Batch) -> dict[str, Any]:
        """The signals that were asked for; the network does not run where none is a tensor."""
        signals: dict[str, Any] = {}
        if self.source.tensors:
            if self.network.training != self.train_mode:
                self.network.train(self.train_mode)
            signals = self.source.on(batch, lambda inputs: self.run(self.source, inputs))
        return {**signals, **self.functions(batch)}

    def run(self, source: NetworkSource, inputs: Tensor) -> dict[str, Any]:
        """The signals that ``source`` gathers from this teacher's network, in one pass.

        Args:
            source: This teacher's own, or that of an analysis.
            inputs: As the student sees them, (N, 3, H, W).
        """
        images = self.fast.inputs(self.normalize_inputs(inputs))
        with self.fast.precision(images.device):
            signals = source.run(images)
        return {**signals, "teacher_logits": self.select_classes(signals["teacher_logits"])}

    def functions(self, batch: Batch) -> dict[str, Any]:
        """The callable signals that were asked for: logits are those of the student's classes."""
        functions = self.source.functions(batch)
        if "teacher_classify" in functions:
            functions["teacher_classify"] = self._selecting(functions["teacher_classify"])
        if "teacher_forward" in functions:
            network = self._selecting(functions["teacher_forward"])
            functions["teacher_forward"] = lambda inputs: network(self.normalize_inputs(inputs))
        if "teacher_forward_from" in functions:
            functions["teacher_forward_from"] = self._continuing(batch)
        return functions

    def measure(self, inputs: Tensor, classes: Sequence[str] | None, num_classes: int) -> Shapes:
        """Shapes of the signals that were asked for, and the student's classes among its own.

        A teacher of whom nothing is asked and whose classes are unknown is not run.

        Args:
            inputs: One image as the student sees it, (1, 3, H, W).
            classes: See ``match_classes``.
            num_classes: See ``match_classes``.

        Raises:
            UserError: See ``match_classes``.
        """
        if not self.is_asked and self.classes is None and not self._must_map:
            return {}
        if self.shards:
            self._remark(f" {shard(self.network)}")
        # Sharding has put the network on the device of its process.
        images = self.fast.inputs(self.normalize_inputs(inputs).to(self._device()))
        shapes = self.source.measure(images)
        self.fast.prepare(noise_like(images), self.source.known_taps())
        (outputs,) = shapes.pop("teacher_logits")
        must_fit = self._must_map or bool(self._logits_asked)
        kept = self._kept(classes, int(outputs), num_classes, must_fit)  # type: ignore[arg-type]
        self.has_student_classes = has_classes(self.network) and kept == num_classes
        # A number of classes is of interest where something compares it with the student's.
        return {**shapes, "teacher_logits": (kept,)} if must_fit and self.is_asked else shapes

    def _kept(
        self, classes: Sequence[str] | None, outputs: int, num_classes: int, must_fit: bool
    ) -> int:
        """Number of logits that are left of the network's; see ``match_classes``."""
        try:
            self.match_classes(classes, outputs, num_classes)
        except UserError:
            if must_fit:
                raise
            return 0
        return outputs if self.class_indices is None else len(self.class_indices)

    @torch.no_grad()
    def compare(self, inputs: Tensor) -> Agreement:
        """The logits of its fast pass beside those of the plain network in float32.

        Args:
            inputs: As the student sees them, (N, 3, H, W).
        """
        fast = self.logits(inputs)
        with self.fast.exact(), torch.autocast(inputs.device.type, enabled=False):
            plain = self.logits(inputs)
        return agreement(fast, plain)

    def logits(self, inputs: Tensor) -> Tensor:
        """Logits of the student's classes, (N, K), for images as the student sees them."""
        images = self.fast.inputs(self.normalize_inputs(inputs))
        with self.fast.precision(images.device):
            return self.select_classes(logits_of(self.network(images)))

    def digest(self) -> str:
        """SHA-256 of every parameter and buffer of the network."""
        return digest_of(self.network)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Teacher:
        super()._apply(fn, recurse)
        self.fast.lay_out()
        return self

    def _remark(self, text: str) -> None:
        """Add to the note, once."""
        if text not in self.note:
            self.note += text

    def _device(self) -> torch.device | None:
        return next((value.device for value in self.network.parameters()), None)

    def _selecting(self, function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        return lambda tensor: self.select_classes(function(tensor))

    def _continuing(self, batch: Batch) -> Callable[[int, Tensor], Continued]:
        run = self.source.forward_from(self.normalize_inputs(batch.inputs))

        def run_from(stage: int, feature: Tensor) -> Continued:
            stages, last, logits = run(stage, feature)
            return Continued(stages, last, self.select_classes(logits))

        return run_from
