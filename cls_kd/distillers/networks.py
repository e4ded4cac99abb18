"""Networks by config or by name, with the weights that are published under that name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mmpretrain import get_model, list_models
from mmpretrain.apis import ModelHub
from mmpretrain.models import TimmClassifier
from torch import nn

from cls_kd.adapters.internals import (
    add_first_state_dict_hook,
    dataset_meta,
    is_initialized,
    mark_initialized,
    set_dataset_meta,
)
from cls_kd.distillers.remote import timm_failure
from cls_kd.distillers.weights import load_weights, weights_config
from cls_kd.errors import UserError, did_you_mean
from cls_kd.registry import MODELS
from cls_kd.signals.heads import describe

NetworkConfig = Mapping[str, Any] | str
"""A config of a classifier; or a name: mmpretrain's (``'resnet18_8xb32_in1k'``) or timm's
(``'timm:resnet18.a1_in1k'``)."""

PUBLISHED = "pretrained"
"""``weights='pretrained'``: the weights that mmpretrain or timm publish for that name."""

_TIMM = "timm:"
_NORMALIZATION_TOO = (
    " A teacher then needs the normalization too: "
    "data_preprocessor=dict(mean={mean}, std={std}, to_rgb=True)."
)


def build_network(network: NetworkConfig | nn.Module) -> nn.Module:
    """Build a classifier with freshly initialized weights.

    Raises:
        UserError: No network has that name; the nearest are listed.
    """
    if isinstance(network, nn.Module):
        return _marked(network)
    if isinstance(network, str):
        return _named(network, pretrained=False)
    if _is_timm(network):
        check_timm_name(network.get("model_name"))
    try:
        return _marked(MODELS.build(dict(network)))
    except (AssertionError, TypeError) as error:
        kind = str(network.get("type")).rsplit(".", 1)[-1]
        raise UserError(f"The network {kind} cannot be built: {error}") from error


def build_with_weights(
    network: NetworkConfig | nn.Module, weights: str | Mapping[str, Any]
) -> tuple[nn.Module, str]:
    """Build a classifier and fill it; MMEngine's ``init_weights`` will leave it alone.

    Args:
        network: Config or name.
        weights: Path, URL, ``'pretrained'``, or ``dict(source=..., drop_classifier=True)``.

    Returns:
        The network, and one line for the log.

    Raises:
        UserError: Nothing is published for it, or the weights do not fit.
    """
    options = weights_config(weights)
    if options["source"] != PUBLISHED:
        return _filled(build_network(network), options)
    if isinstance(network, str) and not network.startswith(_TIMM):
        return _with_published_weights(network, options)
    if isinstance(network, str) or (isinstance(network, Mapping) and _is_timm(network)):
        if options.get("drop_classifier"):
            raise UserError(
                "timm fits its published weights to the classes by itself: give TimmClassifier "
                "num_classes=..., and leave drop_classifier out."
            )
        return _with_timm_weights(network)
    raise UserError(
        "weights='pretrained' needs a network given by name: one of mmpretrain's, 'timm:NAME' or "
        "TimmClassifier. For any other give the path of a checkpoint."
    )


def _filled(network: Any, options: Mapping[str, Any]) -> tuple[nn.Module, str]:
    if options.get("drop_classifier") and not getattr(network, "is_init", True):
        network.init_weights()
    note = load_weights(network, **options)
    mark_initialized(network)
    return network, note


def _with_published_weights(name: str, options: dict[str, Any]) -> tuple[nn.Module, str]:
    network: Any = build_network(name)
    meta = dataset_meta(network)  # of the data set that the model's config names
    _, note = _filled(network, {**options, "source": _published_url(name)})
    if not options.get("drop_classifier"):
        set_dataset_meta(network, dataset_meta(network) or meta)
    return network, note


def _with_timm_weights(network: Mapping[str, Any] | str) -> tuple[nn.Module, str]:
    if isinstance(network, str):
        return _named(network, pretrained=True), f"{network} with timm's published weights."
    check_timm_name(network.get("model_name"))
    name = str(network.get("model_name"))
    with naming_failures(name):
        built = _marked(MODELS.build({**network, "pretrained": True}))
    return built, f"{describe(built)} with timm's published weights."


def _named(name: str, *, pretrained: bool) -> nn.Module:
    if name.startswith(_TIMM):
        model_name = name.removeprefix(_TIMM)
        check_timm_name(model_name)
        if pretrained:
            with naming_failures(model_name):
                return _marked(TimmClassifier(model_name=model_name, pretrained=True))
        try:
            return _marked(TimmClassifier(model_name=model_name))
        except RuntimeError as error:
            raise UserError(f"timm cannot make {name!r}: {error}") from error
    _check_hub_name(name)
    return get_model(name, pretrained=False)


@contextmanager
def naming_failures(name: str, advice: str = _NORMALIZATION_TOO) -> Iterator[None]:
    """Whatever fails inside, where timm builds a network and gets its weights, names the network.

    Args:
        name: Of the network, as timm knows it.
        advice: See `timm_failure`.

    Raises:
        UserError: There is no such network, nothing is published for it, or the weights cannot be
            downloaded or loaded.
    """
    try:
        yield
    except (UserError, TypeError):  # a TypeError is about the config's options
        raise
    except Exception as error:
        # The network's, the hub's and the file system's errors have no base class in common.
        raise timm_failure(name, error, advice) from error


def _published_url(name: str) -> str:
    _check_hub_name(name)
    url = ModelHub.get(name).weights
    if not url:
        raise UserError(f"mmpretrain publishes no weights for {name!r}.")
    return url


def _check_hub_name(name: str) -> None:
    known = list_models()
    if name not in known:
        hint = did_you_mean(name, known, every=False)
        raise UserError(
            f"mmpretrain has no model {name!r}.{hint} (A name of timm's is written 'timm:NAME'.)"
        )


def check_timm_name(name: Any) -> None:
    """Refuse a name that timm does not know; its ``source:name`` forms are left to timm."""
    if not isinstance(name, str):
        raise UserError("TimmClassifier needs model_name='NAME', a name of timm's.")
    import timm  # optional

    if ":" in name or timm.is_model(name):
        return
    tagged = name.partition(".")[2]
    hint = did_you_mean(name, timm.list_models(pretrained=bool(tagged)), every=False)
    raise UserError(f"timm {timm.__version__} has no model {name!r}.{hint}")


def _is_timm(network: Mapping[str, Any]) -> bool:
    kind = network.get("type")
    return kind is TimmClassifier or str(kind).rsplit(".", 1)[-1] == TimmClassifier.__name__


def _marked(network: nn.Module) -> nn.Module:
    # timm initializes (or loads) in its constructor; MMEngine's init_weights would do it again,
    # and wipe out weights that were loaded there.
    if isinstance(network, TimmClassifier) and not is_initialized(network):
        mark_initialized(network)
        add_first_state_dict_hook(network, _without_model)
    return network


def _without_model(_: nn.Module, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    """Timm's own names for the keys, in place.

    What mmpretrain does to this end returns a copy, which has no effect inside a distiller; its
    counterpart, which loads, would then find nothing.
    """
    for key in [key for key in state if key.startswith(f"{prefix}model.")]:
        state[prefix + key.removeprefix(f"{prefix}model.")] = state.pop(key)
