"""Networks of timm's without a classifier: by name, with weights of timm's or from a file."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from torch import nn

from cls_kd.distillers.checkpoints import read_checkpoint, weights_in
from cls_kd.distillers.networks import PUBLISHED, check_timm_name, naming_failures
from cls_kd.distillers.weights import check_match
from cls_kd.errors import UserError, did_you_mean

TIMM = "timm/"
_PREFIXES = (TIMM, "hf-hub:", "local-dir:")
UNTRAINED = "random"


def is_backbone(name: str) -> bool:
    """True if a name stands for a network of timm's without a classifier."""
    return name.startswith(_PREFIXES)


def build_backbone(name: str, weights: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """A network of timm's without a classifier, with its weights.

    Args:
        name: ``'timm/NAME'``, ``'hf-hub:OWNER/NAME'`` or ``'local-dir:PATH'``.
        weights: ``'pretrained'``, ``'random'``, or the path or URL of a file.
        options: Further arguments of ``timm.create_model``.

    Returns:
        The network, and where its weights are from, for the log.

    Raises:
        UserError: There is no such network, or its weights do not fit or cannot be downloaded.
    """
    if not is_backbone(name):
        raise UserError(
            f"The network {name!r} is none of timm's without a classifier: 'timm/NAME', "
            "'hf-hub:OWNER/NAME' or 'local-dir:PATH'."
        )
    model_name = name.removeprefix(TIMM)
    check_timm_name(model_name)
    if weights == PUBLISHED:
        with naming_failures(model_name, advice=""):
            return _create(model_name, options, pretrained=True), "with its published weights."
    _check_tag(model_name)
    network = _create(model_name, options, pretrained=False)
    if weights == UNTRAINED:
        return network, "is UNTRAINED (weights='random')."
    load_backbone(network, weights)
    return network, f"loaded from {weights}."


def load_backbone(network: Any, source: str) -> None:
    """Fill a network of timm's, by timm's own conversion of published files; every key must match.

    Position embeddings of another grid are interpolated, patch embeddings resampled, and names of
    the authors' files renamed, as timm does it for the weights that it publishes. Weights of a
    classifier that the network does not have are left out.

    Args:
        network: Of ``timm.create_model``.
        source: Path or URL.

    Raises:
        UserError: Keys or shapes that do not fit.
    """
    weights = dict(weights_in(read_checkpoint(source), source))
    # The function by which timm's own loading converts a file, where a kind of network has one.
    convert = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    try:
        weights = weights if convert is None else dict(convert(weights, network))
    except (KeyError, RuntimeError, ValueError, AttributeError) as error:
        raise UserError(
            f"The checkpoint {source} does not fit {type(network).__name__}: timm cannot convert "
            f"its keys ({type(error).__name__}: {error})."
        ) from error
    if network.num_classes == 0:
        dropped = _classifier(network)
        weights = {key: value for key, value in weights.items() if not key.startswith(dropped)}
    check_match(network, network.state_dict(), weights, source)
    network.load_state_dict(weights, strict=True)


def preprocessing(network: nn.Module) -> dict[str, Any]:
    """Size, normalization and interpolation that timm states for a network."""
    from timm.data import resolve_data_config

    return resolve_data_config({}, model=network)


def _create(model_name: str, options: Mapping[str, Any], *, pretrained: bool) -> Any:
    import timm

    try:
        return timm.create_model(model_name, pretrained=pretrained, num_classes=0, **options).eval()
    except TypeError as error:
        raise UserError(f"timm cannot make {model_name!r} with {dict(options)}: {error}") from error


def _check_tag(model_name: str) -> None:
    """Refuse a tag under which timm publishes nothing: it says how images are to be given."""
    from timm.models import list_models

    published = list_models(f"{model_name.partition('.')[0]}.*", pretrained=True)
    if "." in model_name and ":" not in model_name and model_name not in published:
        hint = did_you_mean(model_name, published)
        raise UserError(f"timm publishes no weights {model_name!r}.{hint}")


def _classifier(network: Any) -> tuple[str, ...]:
    """Beginnings of the keys of the classifier that published weights may have."""
    names = network.pretrained_cfg.get("classifier") or ()
    names = (names,) if isinstance(names, str) else tuple(names)
    return tuple(f"{name}." for name in names)
