"""Loading weights, strictly: every key is matched, or the message says which is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from cls_kd.adapters.internals import set_dataset_meta
from cls_kd.distillers.checkpoints import read_checkpoint, weights_in
from cls_kd.errors import UserError
from cls_kd.signals.heads import describe
from cls_kd.signals.taps import classifier_path

_STUDENT = "student."
_SHOWN = 4


def load_weights(network: nn.Module, source: str, *, drop_classifier: bool = False) -> str:
    """Fill ``network`` from a checkpoint of ours, a plain one, or a safetensors file.

    A checkpoint of ours holds a distiller; its student is taken (keys under ``student.``).

    Args:
        network: The network to fill; nothing in it changes if the weights do not fit.
        source: Path or URL.
        drop_classifier: Leave the network's own classifier (the last linear layer) as it is, where
            the checkpoint's is for other classes.

    Returns:
        One line for the log: what was loaded, and what was dropped.

    Raises:
        UserError: Missing, unexpected or differently shaped keys; the first are named.
    """
    checkpoint = read_checkpoint(source)
    weights = of_student(weights_in(checkpoint, source))
    expected = network.state_dict()
    dropped = _classifier_keys(network) if drop_classifier else set()
    weights = {key: value for key, value in weights.items() if key not in dropped}
    weights.update({key: expected[key] for key in dropped})
    check_match(network, expected, weights, source)
    network.load_state_dict(weights, strict=True)
    classes = None if drop_classifier else _class_names(checkpoint)
    # mmpretrain keeps there what it knows of a model's classes.
    set_dataset_meta(network, {} if classes is None else {"classes": classes})
    line = f"{describe(network)} loaded from {source}, {len(expected) - len(dropped)} tensors."
    return f"{line} Dropped, as initialized: {', '.join(sorted(dropped))}." if dropped else line


def _class_names(checkpoint: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Names of the classes that a checkpoint was trained on, where MMEngine wrote them into it."""
    meta = checkpoint.get("meta")
    if not isinstance(meta, Mapping):
        return None
    described = meta.get("dataset_meta")
    # mmcls 0.x wrote CLASSES.
    names = described.get("classes") if isinstance(described, Mapping) else meta.get("CLASSES")
    return tuple(str(name) for name in names) if isinstance(names, list | tuple) else None


def of_student(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The student's part of a distiller's state dict; anything else as it is."""
    inner = {
        key.removeprefix(_STUDENT): value
        for key, value in weights.items()
        if key.startswith(_STUDENT)
    }
    return inner or dict(weights)


def _classifier_keys(network: nn.Module) -> set[str]:
    path = classifier_path(network)
    if path is None:
        raise UserError(f"{describe(network)} has no linear classifier that could be dropped.")
    # state_dict hooks may rename: TimmClassifier drops its leading 'model.'.
    names = {f"{path}.{name}" for name, _ in network.get_submodule(path).named_parameters()}
    known = network.state_dict()
    return {key for name in names for key in (name, name.removeprefix("model.")) if key in known}


def check_match(
    network: nn.Module, expected: Mapping[str, Tensor], weights: Mapping[str, Tensor], source: str
) -> None:
    """Refuse weights whose keys or shapes differ from ``expected``.

    Raises:
        UserError: The first missing, unexpected and differently shaped keys.
    """
    missing = [key for key in expected if key not in weights]
    unexpected = [key for key in weights if key not in expected]
    shapes = [
        f"{key} {tuple(weights[key].shape)} instead of {tuple(expected[key].shape)}"
        for key in expected
        if key in weights and weights[key].shape != expected[key].shape
    ]
    if not (missing or unexpected or shapes):
        return
    lines = [
        f"The checkpoint {source} does not fit {describe(network)} "
        f"({len(expected) - len(missing) - len(shapes)} of {len(expected)} keys match):"
    ]
    for title, keys in (
        ("of another shape", shapes),
        ("not in the checkpoint", missing),
        ("only in the checkpoint", unexpected),
    ):
        if keys:
            more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
            lines.append(f"  {title}: {', '.join(keys[:_SHOWN])}{more}")
    if not missing and not unexpected and _only_classifier(network, shapes):
        lines.append(
            "  Only the classifier differs: with weights=dict(source=..., drop_classifier=True) "
            "the rest is loaded and the classifier starts anew."
        )
    raise UserError("\n".join(lines))


def _only_classifier(network: nn.Module, shapes: list[str]) -> bool:
    if classifier_path(network) is None:
        return False
    keys = _classifier_keys(network)
    return all(line.split(" ", 1)[0] in keys for line in shapes)


def weights_config(weights: str | Mapping[str, Any]) -> dict[str, Any]:
    """``'path'`` or ``dict(source='path', drop_classifier=True)`` as keyword arguments."""
    return {"source": weights} if isinstance(weights, str) else dict(weights)
