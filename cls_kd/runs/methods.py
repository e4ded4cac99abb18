"""Methods of ``configs/methods``, composed with a whole config or with single runs of it.

The file of a method holds its ``losses`` and what these need: ``student`` (of several branches),
``train_data`` (see ``data_requirements``) and ``optim_wrapper``.

::

    cls-kd train digits/pair --method nkd                       # the losses of the config
    runs = dict(kd=dict(method='kd'), nkd=dict(method='nkd'))   # the losses of a run

A run's own keys are merged over those of its method.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from cls_kd.errors import UserError, did_you_mean
from cls_kd.runs.parsing import parse_config
from cls_kd.runs.plain_config import PlainConfig

_OWN_METHODS = Path(__file__).resolve().parents[1] / "configs" / "methods"
_SHARED = ("lr", "momentum", "weight_decay")
"""Options of a config's optimizer that the optimizer of a method keeps."""


def known_methods(path: Path | None = None) -> dict[str, Path]:
    """Name to file of every method that a config at ``path`` can be composed with."""
    above = list(path.resolve().parents) if path is not None else []
    folders = [_OWN_METHODS, *(folder / "methods" for folder in reversed(above))]
    return {
        file.stem: file
        for folder in folders
        for file in sorted(folder.glob("*.py"))
        if not file.stem.startswith("_")
    }


def apply_method(cfg: Config, method: str, path: Path) -> None:
    """Replace the losses of ``cfg`` by those of ``configs/methods/<method>.py``.

    ``student`` is merged over the config's. ``train_data`` and ``optim_wrapper`` reach the runs
    that keep the config's losses: not a teacher with losses of its own.

    Methods are looked for in a folder ``methods`` beside the config or above it, then in this
    project's own. A run named ``'{method}'`` takes the method's name.

    Raises:
        UserError: There is no such method; the nearest are listed.
    """
    parts = _read(method, path)
    if "model" not in cfg or "losses" not in cfg.model:
        raise UserError(f"{path} has no model.losses which --method could replace.")
    cfg.model.losses = parts["losses"]
    if "train_data" in parts:
        cfg.train_data = parts["train_data"]
    if "student" in parts:
        _check_branches(cfg.model.get("student"), method)
        cfg.merge_from_dict({"model": {"student": parts["student"]}})
    if "optim_wrapper" in parts:
        _change_optimizer(cfg, parts["optim_wrapper"])
    cfg.method = method


def expand_methods(cfg: Config, path: Path) -> None:
    """Put the parts of a method in the place of each ``method='NAME'`` of a run.

    Raises:
        UserError: There is no such method; or it is for another kind of student.
    """
    for entry in _entries(cfg):
        if "method" in entry and "type" not in entry:
            method = entry.pop("method")
            _expand(entry, method, _read(method, path), cfg)


def _expand(entry: Any, method: str, parts: dict[str, Any], cfg: Config) -> None:
    model = dict(entry.get("model") or {})
    model["losses"] = {"_delete_": True, **_merged(parts["losses"], model.get("losses"))}
    if "student" in parts:
        model["student"] = _merged(parts["student"], model.get("student"))
        student = (cfg.get("model") or {}).get("student")
        _check_branches({**student, **model["student"]} if student else None, method)
    entry["model"] = model
    if "train_data" in parts and "train_data" not in entry:
        entry["train_data"] = parts["train_data"]
    if "optim_wrapper" in parts:
        wrapper = _optimizer(cfg.to_dict()["optim_wrapper"], parts["optim_wrapper"])
        entry["optim_wrapper"] = {
            "_delete_": True,
            **_merged(wrapper, entry.get("optim_wrapper")),
        }


def _read(method: str, path: Path) -> dict[str, Any]:
    known = known_methods(path)
    if method not in known:
        raise UserError(f"There is no method {method!r}.{did_you_mean(str(method), known)}")
    return parse_config(known[method]).to_dict()


def _check_branches(student: Any, method: str) -> None:
    """Refuse a student without branches for an online method."""
    kind = student.get("type", "") if isinstance(student, Mapping) else student
    if not str(kind).endswith("MultiBranchClassifier"):
        raise UserError(
            f"The method {method!r} is for a student of several branches "
            "(dict(type='MultiBranchClassifier', ...), as in configs/digits/branches.py), and this "
            f"one is {kind}."
        )


def _change_optimizer(cfg: Config, changes: Mapping[str, Any]) -> None:
    """Give a method's optimizer wrapper to the runs that keep the config's losses."""
    before = cfg.to_dict()["optim_wrapper"]
    cfg.optim_wrapper = _optimizer(before, changes)
    for entry in _entries(cfg):
        losses = (entry.get("model") or {}).get("losses") or {}
        if "_delete_" in losses and "type" not in entry:
            wrapper = _merged(before, entry.get("optim_wrapper"))
            entry["optim_wrapper"] = {"_delete_": True, **wrapper}


def _optimizer(wrapper: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A method's optimizer wrapper over a config's, with what all optimizers like SGD share."""
    kept = {key: value for key, value in wrapper["optimizer"].items() if key in _SHARED}
    return _merged({**wrapper, "optimizer": kept}, changes)


def _entries(cfg: Config) -> list[Any]:
    runs = cfg.get("runs") or []
    listed = list(runs.values()) if isinstance(runs, Mapping) else runs
    return [entry for entry in listed if isinstance(entry, Mapping)]


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any] | None) -> dict[str, Any]:
    """``changes`` over ``base``, as MMEngine merges configs."""
    whole = PlainConfig({"part": dict(base)})
    whole.merge_from_dict({"part": dict(changes or {})})
    return whole.to_dict()["part"]
