"""The frozen teacher: eval mode, no gradient, own view of images and classes, never changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from cls_kd.distillers.class_names import (
    Names,
    class_places,
    known_names,
    read_names,
    shared_names,
)
from cls_kd.distillers.images import (
    checked_interpolation,
    checked_size,
    columns,
    own_normalisation,
    read_normalisation,
)
from cls_kd.distillers.networks import (
    PUBLISHED,
    NetworkConfig,
    build_network,
    build_with_weights,
)
from cls_kd.distillers.weights import weights_config
from cls_kd.errors import UserError
from cls_kd.registry import MODELS
from cls_kd.signals import NetworkSource
from cls_kd.signals.samples import Samples
from cls_kd.signals.shapes import Shape
from cls_kd.signals.sources import describe

UNTRAINED = "random"
"""``weights='random'``: an untrained teacher, said aloud; for benchmarks and smoke runs."""


@MODELS.register_module()
class Teacher(nn.Module):
    """A network that teaches and never learns.

    Whatever ``train()`` is called on it or on the distiller, it stays in eval mode (batch norm
    statistics, dropout). A copy of the distiller (an EMA) shares it instead of copying it.

    Args:
        network: Config or name of a classifier (see ``distillers.networks``).
        weights: Path or URL of a checkpoint of ours, of mmpretrain's, or of safetensors;
            ``'pretrained'`` (published under the network's name); ``'random'`` (untrained);
            or ``dict(source=..., drop_classifier=True)``.
        name: What losses call it by (``teacher='name'``) where there are several. Default: its
            place in the list.
        data_preprocessor: ``dict(mean=..., std=..., to_rgb=...)`` where the teacher was trained
            with another normalisation than the student's. Default: the one that the network brings
            along, if any, else the student's.
        taps: Places that differ from what the network declares (see ``signals.taps``).
        input_size: Height and width in pixels of the images that the teacher sees, one number for
            both: the student's images are resized to it, with anti-aliasing, on their device.
            Default: the student's images as they are.
        interpolation: ``'bicubic'`` (default) or ``'bilinear'``, for ``input_size``.
        classes: Names of the teacher's classes in the order of its outputs, or the path of a file
            with one name per line, where they differ from the student's: of its logits, those of
            the student's classes remain, in the student's order. Default: the names that are known
            of the weights (see ``class_names.known_names``); none: the student's classes.
        class_map: The teacher's name for a class of the student, where the names differ.

    Raises:
        UserError: No weights, or weights that do not fit; an option that makes no sense.
    """

    scale: Tensor
    shift: Tensor
    places: Tensor | None

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
    ) -> None:
        super().__init__()
        self.input_size = checked_size(input_size)
        self.interpolation = checked_interpolation(interpolation)
        given = None if classes is None else read_names(classes)
        self.network, self.note = _built(network, weights)
        published = _is_published(weights)
        self.classes = given or known_names(self.network, published=published)
        self.class_map = dict(class_map or {})
        self._must_map = given is not None or bool(self.class_map)
        self.network.requires_grad_(False)
        self.name = name
        self.taps = taps
        self.normalisation = own_normalisation(self.network, data_preprocessor, published=published)
        self.flip = False
        self.register_buffer("scale", None, persistent=False)
        self.register_buffer("shift", None, persistent=False)
        self.register_buffer("places", None, persistent=False)
        self.eval()

    def train(self, mode: bool = True) -> Teacher:
        """Stays in eval mode, whatever ``mode``."""
        return super().train(False)

    def __deepcopy__(self, memo: dict[int, Any]) -> Teacher:
        return self

    def listen(self, names: Iterable[str]) -> None:
        """Attach to the network what the losses ask of this teacher."""
        self.source = NetworkSource("teacher", self.network, names, self.taps)

    def match(self, preprocessor: nn.Module) -> None:
        """Prepare to turn inputs as ``preprocessor`` normalises them into this teacher's own."""
        own, student = self.normalisation, read_normalisation(preprocessor)
        if own is None or own == student:
            return
        mean, std = columns(student, flip=student["to_rgb"] != own["to_rgb"])
        own_mean, own_std = columns(own)
        self.flip = student["to_rgb"] != own["to_rgb"]
        self.scale, self.shift = std / own_std, (mean - own_mean) / own_std

    def match_classes(self, classes: Sequence[str] | None, outputs: int, num_classes: int) -> None:
        """Prepare to give logits of the student's classes, in the student's order.

        Args:
            classes: Names of the student's classes; None where nobody knows them.
            outputs: Number of the network's own logits.
            num_classes: Number of the student's.

        Raises:
            UserError: The names do not fit together, or are missing where they are needed.
        """
        own = self.classes
        if self._must_map:
            own = self._checked_names(outputs)
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
        if own is None or classes is None or len(own) != outputs or len(classes) != num_classes:
            return
        student = tuple(str(name) for name in classes)
        if not self._must_map and outputs == num_classes and not shared_names(student, own):
            if student != own:
                self.note += " Its classes have other names; they are taken in their order."
            return
        places = class_places(student, own, self.class_map)
        if places != list(range(outputs)):
            self.places = torch.tensor(places)
            self.note += f" Of its {outputs} classes, {len(places)} are the student's, by name."

    def see(self, inputs: Tensor) -> Tensor:
        """The student's normalised inputs as this teacher wants them, (N, 3, h, w)."""
        if self.flip:
            inputs = inputs.flip(1)
        inputs = inputs if self.scale is None else inputs * self.scale + self.shift
        if self.input_size is None or inputs.shape[-2:] == self.input_size:
            return inputs
        return F.interpolate(
            inputs, self.input_size, mode=self.interpolation, antialias=True, align_corners=False
        )

    def of_student(self, logits: Tensor) -> Tensor:
        """Of the network's own logits (N, C), those of the student's classes, (N, K)."""
        return logits if self.places is None else logits.index_select(1, self.places)

    @torch.no_grad()
    def forward(self, inputs: Tensor) -> dict[str, Any]:
        """The signals that were asked for; the network does not run where none was."""
        if not self.source.tensors:
            return {}
        if self.network.training:
            self.network.eval()
        return self.run(self.source, inputs)

    def run(self, source: NetworkSource, inputs: Tensor) -> dict[str, Any]:
        """The signals that ``source`` gathers from this teacher's network, in one pass.

        Args:
            source: This teacher's own, or that of an analysis.
            inputs: As the student sees them, (N, 3, H, W).
        """
        signals = source.run(self.see(inputs))
        return {**signals, "teacher_logits": self.of_student(signals["teacher_logits"])}

    def functions(self, data_samples: Samples) -> dict[str, Any]:
        """The callable signals that were asked for: logits are those of the student's classes."""
        functions = self.source.functions(data_samples)
        if "teacher_classify" in functions:
            functions["teacher_classify"] = self._selecting(functions["teacher_classify"])
        if "teacher_forward" in functions:
            network = self._selecting(functions["teacher_forward"])
            functions["teacher_forward"] = lambda inputs: network(self.see(inputs))
        return functions

    def measure(
        self, inputs: Tensor, classes: Sequence[str] | None, num_classes: int
    ) -> dict[str, Shape | tuple[Shape, ...]]:
        """Shapes of the signals that were asked for, and the student's classes among its own.

        A teacher of whom nothing is asked and whose classes nobody knows is not run.

        Args:
            inputs: One image as the student sees it, (1, 3, H, W).
            classes: See ``match_classes``.
            num_classes: See ``match_classes``.

        Raises:
            UserError: See ``match_classes``.
        """
        asked = self.source.tensors or self.source.callables
        if not asked and self.classes is None and not self._must_map:
            return {}
        shapes = self.source.measure(self.see(inputs))
        (outputs,) = shapes["teacher_logits"]
        self.match_classes(classes, int(outputs), num_classes)  # type: ignore[arg-type]
        kept = outputs if self.places is None else len(self.places)
        return {**shapes, "teacher_logits": (kept,)} if asked else {}  # type: ignore[dict-item]

    def predict(self, inputs: Tensor, data_samples: Samples) -> list[DataSample]:
        """The teacher's predictions among the student's classes, as mmpretrain's classifiers'."""
        if self.places is None:
            return self.network(self.see(inputs), data_samples, mode="predict")
        scores = self.of_student(self.network(self.see(inputs))).softmax(dim=1)
        labels = scores.argmax(dim=1, keepdim=True)
        return [
            sample.set_pred_score(score).set_pred_label(label)
            for sample, score, label in zip(data_samples, scores, labels, strict=True)
        ]

    def digest(self) -> str:
        """SHA-256 of every parameter and buffer of the network."""
        hasher = hashlib.sha256()
        for key, value in sorted(self.network.state_dict().items()):
            hasher.update(key.encode())
            hasher.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
        return hasher.hexdigest()

    def _selecting(self, function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        return lambda tensor: self.of_student(function(tensor))

    def _checked_names(self, outputs: int) -> Names:
        if self.classes is None:
            raise UserError(
                "The teacher has a class_map, and the names of its classes are not known: give "
                "`classes`, their names in the order of its outputs or the path of a file with one "
                "name per line."
            )
        if len(self.classes) != outputs:
            raise UserError(
                f"The teacher's `classes` are {len(self.classes)} names, and its network has "
                f"{outputs} outputs: give the name of each output, in order."
            )
        return self.classes


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


def _is_published(weights: str | Mapping[str, Any] | None) -> bool:
    return weights is not None and weights_config(weights)["source"] == PUBLISHED
