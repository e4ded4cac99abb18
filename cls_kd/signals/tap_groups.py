"""Taps that kinds of networks have in common, whatever library they come from."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from cls_kd.signals.tap import Tap, Taps

_SHARES = (1 / 6, 1 / 3, 5 / 6, 1.0)


def stage_ends(blocks: int) -> tuple[int, ...]:
    """Indices of the last blocks of four stages, in Swin-T's proportions; fewer of few blocks.

    >>> stage_ends(12), stage_ends(3)
    ((1, 3, 9, 11), (0, 1, 2))
    """
    return tuple(sorted({max(round(blocks * share), 1) - 1 for share in _SHARES}))


def block_maps(network: nn.Module, stages: tuple[Tap, ...]) -> tuple[Tap, ...]:
    """Taps of the blocks of stages, for a network that does not declare them.

    The blocks of a stage are the items of an `nn.Sequential` of modules with parts; any other stage
    counts as one block.

    Args:
        network: The network.
        stages: The taps of its stages.
    """
    return tuple(block for stage in stages for block in _blocks(network, stage))


def _blocks(network: nn.Module, stage: Tap) -> tuple[Tap, ...]:
    module = network.get_submodule(stage.module)
    items = dict(module.named_children()) if isinstance(module, nn.Sequential) else {}
    is_of_blocks = bool(items) and all(any(item.children()) for item in items.values())
    if not is_of_blocks or stage != Tap(stage.module):
        return (stage,)
    return tuple(Tap(f"{stage.module}.{name}") for name in items)


def distillation_token_taps(head: str, distillation_head: str) -> Taps:
    """Taps of a transformer with two classifiers, by their paths; the embedding is the first's."""
    return {
        "class_token_logits": Tap(head),
        "distillation_token_logits": Tap(distillation_head),
        "embedding": Tap(head, "input"),
    }


def isotropic_taps(blocks: tuple[Tap, ...], normed: Tap, first_patch: int) -> Taps:
    """Taps of a network whose blocks all see the same tokens: a vision transformer, an MLP-Mixer.

    ``stages`` are the maps after the blocks of `stage_ends`, as of OFA's authors
    (Hao840/OFAKD@f7bb896). ``feature`` is the map of the normed tokens.

    Args:
        blocks: The taps of its blocks.
        normed: That of the tokens after the final norm.
        first_patch: How many class tokens are before the patches.
    """
    ends = stage_ends(len(blocks))
    return {
        "blocks": blocks,
        "block_maps": tuple(replace(block, first_patch=first_patch) for block in blocks),
        "tokens": blocks[-1],
        "normed_tokens": normed,
        "patch_tokens": replace(normed, first_patch=first_patch, keeps_tokens=True),
        "stages": tuple(replace(blocks[end], first_patch=first_patch) for end in ends),
        "feature": replace(normed, first_patch=first_patch),
    }
