"""Requirements of a method on the training data, applied to the runs that train by it.

::

    train_data = dict(wrapper=dict(type=ClassPairs))               # around the data set
    train_data = dict(batch_sampler=dict(type=LastBatchSampler))   # of the loader

It stands beside ``losses`` in the config of a method, or in a run. A teacher in the same list of
runs, with losses of its own, keeps its data as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from cls_kd.errors import UserError, did_you_mean

_KEYS = ("wrapper", "batch_sampler")


def requirements(run: Config, stated: Mapping[str, Any] | None, cfg: Config) -> Mapping[str, Any]:
    """The run's own requirements, else those of ``cfg`` if the run keeps its losses."""
    if stated is not None:
        return stated
    return (cfg.get("train_data") or {}) if _kinds(cfg).items() <= _kinds(run).items() else {}


def apply(run: Config, train_data: Mapping[str, Any]) -> None:
    """Write into the loader of a run what ``train_data`` asks for; what is there already stays.

    Raises:
        UserError: An unknown key, no training data, or batches that are made in another way.
    """
    if not train_data:
        return
    for key in train_data:
        if key not in _KEYS:
            raise UserError(f"train_data has no {key!r}.{did_you_mean(key, _KEYS)}")
    if not run.get("train_dataloader"):
        raise UserError("The config has no train_dataloader, which train_data could change.")
    loader = run.to_dict()["train_dataloader"]
    if "wrapper" in train_data:
        loader["dataset"] = _wrapped(loader["dataset"], dict(train_data["wrapper"]))
    if "batch_sampler" in train_data and not _is_there(
        loader.get("batch_sampler"), train_data["batch_sampler"]
    ):
        loader["batch_sampler"] = dict(train_data["batch_sampler"])
        if "drop_last" in loader:  # PyTorch takes it from the batch sampler
            loader["batch_sampler"]["drop_last"] = loader.pop("drop_last")
    run.train_dataloader = loader


def _wrapped(dataset: dict[str, Any], wrapper: dict[str, Any]) -> dict[str, Any]:
    """The wrapper goes around the data set itself, inside wrappers that repeat it."""
    if _kind(dataset) == _kind(wrapper):
        return dataset
    if isinstance(dataset.get("dataset"), Mapping):
        return {**dataset, "dataset": _wrapped(dict(dataset["dataset"]), wrapper)}
    return {**wrapper, "dataset": dataset}


def _is_there(given: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> bool:
    if given is not None and _kind(given) != _kind(wanted):
        raise UserError(
            f"train_data asks for batches by {_kind(wanted)}, and train_dataloader.batch_sampler "
            f"is {_kind(given)}: leave one of them out."
        )
    return given is not None


def _kind(config: Mapping[str, Any]) -> str:
    """Name of a type, which a config may give with its module or without."""
    return str(config.get("type")).rsplit(".", 1)[-1]


def _kinds(cfg: Config) -> dict[str, Any]:
    """Name to type of every loss."""
    losses = cfg.to_dict().get("model", {}).get("losses") or {}
    return {name: loss.get("type") for name, loss in losses.items()}
