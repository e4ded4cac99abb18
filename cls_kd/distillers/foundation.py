"""Foundation models of timm as teachers: no classes, images in their own size and normalization."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from cls_kd import core
from cls_kd.core.images import INTERPOLATIONS
from cls_kd.core.teacher_protocol import Shapes
from cls_kd.distillers.timm_backbones import TIMM, build_backbone, is_backbone, preprocessing
from cls_kd.errors import UserError
from cls_kd.registry import MODELS

IMAGES = "images"
"""``input_size='images'``: the student's images as they are."""


@MODELS.register_module()
class FoundationTeacher(core.Teacher):
    """A network of timm's without a classifier, as a teacher.

    ``teacher=dict(network='timm/vit_small_patch14_reg4_dinov2.lvd142m')`` is all that it needs.
    Images are given in the normalization and size that timm states for the network
    (``timm.data.resolve_data_config``), whatever file its weights come from. Its signals:
    ``teacher_embedding`` (what timm's network without classifier gives: a class token, a mean or
    what an attention pool gives), ``teacher_patch_tokens`` (after the final norm, without class
    token and registers, of which the network declares how many it has), ``teacher_feature`` (the
    same as a map), ``teacher_tokens``, ``teacher_normed_tokens``, ``teacher_blocks`` and
    ``teacher_stages``.

    Args:
        network: ``'timm/NAME'``, ``'hf-hub:OWNER/NAME'`` or ``'local-dir:PATH'``.
        weights: ``'pretrained'`` (default): what timm publishes under the name; the path or URL of
            a file with its keys, or with those of the authors' files that timm converts;
            ``'random'``: untrained.
        name: See `cls_kd.Teacher`.
        input_size: Height and width of the images that it sees, one number for both; position
            embeddings are interpolated, as timm does it. ``'images'``: the student's images as they
            are. Default: the size that timm states.
        interpolation: See `cls_kd.Teacher`. Default: as timm states.
        options: Further arguments of ``timm.create_model``.
        taps: See `cls_kd.Teacher`.
        dtype: ``'bfloat16'`` or ``'float16'``: the network is kept and run in half precision.
            Default: float32.
        shard: See `cls_kd.Teacher`.

    Raises:
        UserError: There is no such network, its weights do not fit or cannot be downloaded, or an
            image does not divide into its patches.
    """

    def __init__(
        self,
        network: str,
        weights: str = "pretrained",
        *,
        name: str | None = None,
        input_size: int | Sequence[int] | Literal["images"] | None = None,
        interpolation: str | None = None,
        options: Mapping[str, Any] | None = None,
        taps: Mapping[str, str | tuple[str, ...]] | None = None,
        dtype: str | torch.dtype | None = None,
        shard: bool = False,
    ) -> None:
        built, source = build_backbone(network, weights, options or {})
        stated = preprocessing(built)
        if interpolation is None:
            known = stated["interpolation"] in INTERPOLATIONS
            interpolation = stated["interpolation"] if known else INTERPOLATIONS[0]
        takes_images = input_size == IMAGES
        super().__init__(
            built,
            name=name,
            normalization=_normalization(stated),
            taps=taps,
            input_size=None if takes_images else input_size or stated["input_size"][1:],  # type: ignore[arg-type]
            interpolation=interpolation,
            channels_last=False,
            parameter_dtype=dtype,
            shard=shard,
        )
        self.note = f"{network.removeprefix(TIMM)} {source}"
        if self.input_size is not None:
            _fit(self.network, self.input_size)

    def measure(self, inputs: Tensor, classes: Sequence[str] | None, num_classes: int) -> Shapes:
        """As `cls_kd.Teacher`; where it takes the images as they are, it adapts to their size."""
        if self.input_size is None:
            _fit(self.network, (inputs.shape[-2], inputs.shape[-1]))
        return super().measure(inputs, classes, num_classes)

    def predict(self, inputs: Tensor, data_samples: Any) -> Any:
        """Refused: it has no classes.

        Raises:
            UserError: Always.
        """
        raise UserError(f"The teacher {self.note} has no classes, and predicts none.")


def is_foundation(config: Mapping[str, Any]) -> bool:
    """True if the config of a teacher names a network that has no classifier."""
    network = config.get("network")
    return isinstance(network, str) and is_backbone(network)


def _normalization(stated: Mapping[str, Any]) -> dict[str, Any]:
    """Mean and deviation that timm states of images from 0 to 1, for images from 0 to 255."""
    mean, std = ([255.0 * value for value in stated[key]] for key in ("mean", "std"))
    return {"mean": mean, "std": std, "to_rgb": True}


def _fit(network: Any, size: tuple[int, int]) -> None:
    """Adapt a vision transformer to images of a size; other networks take any.

    Raises:
        UserError: The images do not divide into its patches.
    """
    patches = getattr(network, "patch_embed", None)
    if patches is None or not hasattr(network, "set_input_size"):
        return
    patch = patches.patch_size
    if any(side % length for side, length in zip(size, patch, strict=True)):
        lower = [max(side // length, 1) * length for side, length in zip(size, patch, strict=True)]
        upper = [side + length for side, length in zip(lower, patch, strict=True)]
        raise UserError(
            f"The teacher {type(network).__name__} has patches of {patch[0]}x{patch[1]} pixels, "
            f"and images of {size[0]}x{size[1]} do not divide into them: give it input_size="
            f"{_sides(lower)} or input_size={_sides(upper)}."
        )
    if tuple(patches.img_size or ()) != tuple(size):
        network.set_input_size(img_size=tuple(size))
        nn.Module.requires_grad_(network, False)


def _sides(size: Sequence[int]) -> str:
    return str(size[0]) if size[0] == size[1] else f"({size[0]}, {size[1]})"
