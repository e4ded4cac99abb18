"""The keys of a config, compared with what the classes that they are given to take.

MMEngine ignores a section that it does not know, and some classes an argument that they do not
know, so that a misspelt key trains with the default and says nothing. Everything that can be looked
up without building anything is checked when a config is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from mmengine.config import Config
from mmengine.utils import get_object_from_string

from cls_kd.engine.config_kinds import KINDS, Kind
from cls_kd.engine.runs import NOT_OF_A_RUN, OF_A_RUN, SECTIONS, merged_runs
from cls_kd.engine.signatures import Keywords, keywords
from cls_kd.errors import UserError, did_you_mean
from cls_kd.registry import OPTIM_WRAPPER_CONSTRUCTORS, known_names

# Beside SECTIONS: read by the tools or by this engine, and no part of what a run is.
TOP_LEVEL = frozenset({*SECTIONS, *NOT_OF_A_RUN, "work_dir", "console_log_level"})
_DEVICE = (
    "the device is no key of the config: a GPU is used where PyTorch finds one, else the CPU. "
    "CUDA_VISIBLE_DEVICES=1 chooses the second GPU, an empty CUDA_VISIBLE_DEVICES= the CPU."
)
ELSEWHERE = {
    **dict.fromkeys(("device", "devices", "cuda", "gpu", "gpus", "gpu_id", "gpu_ids"), _DEVICE),
    "resume": "it is an option of the command: cls-kd train CONFIG --resume [PATH].",
    "launcher": "it is an option of the command: cls-kd train CONFIG --launcher pytorch.",
    "seed": "it is an option of the tool, --seed N, or randomness.seed in the config.",
    "deterministic": "it is an option of the tool, --deterministic.",
    "amp": "it is an option of the tool, --amp.",
    "method": "it is an option of the tool, --method NAME.",
}
"""What is set elsewhere than at the top level of a config, and where."""
_BY_BUILDERS = frozenset({"type", "_scope_", "_delete_"})
_NEAR = 0.85
"""Similarity (difflib's) from which a name counts as misspelt. Ours."""


def check_config(cfg: Config) -> None:
    """Refuse keys that nothing reads.

    A config may define names of its own at its top level, such as a pipeline that two loaders
    share. One that resembles a section and is used nowhere is taken for a misspelt section.

    Args:
        cfg: A whole config, with ``randomness``.

    Raises:
        UserError: A key that is not known, with the nearest that are.
    """
    _check_top_level(cfg)
    _check_runs(cfg)
    for key in ("report", "analyses"):
        _check(cfg.to_dict().get(key), key, key)
    # A file that holds losses or data alone is no training.
    trainings = merged_runs(cfg) if "model" in cfg else [("", {}, cfg)]
    checked: list[tuple[str, Any]] = []
    for name, _, merged in trainings:
        where = f"The run {name!r}: " if name else ""
        if "train_cfg" in merged:
            _check_belongings(merged, where)
        for section, value in merged.to_dict().items():
            if section in SECTIONS & set(KINDS) and (section, value) not in checked:
                _check(value, section, where + section)
                checked.append((section, value))


def _check_top_level(cfg: Config) -> None:
    values = cfg.to_dict()
    used = [value for key, value in values.items() if key in TOP_LEVEL]
    candidates = TOP_LEVEL - {"train_data", "method"}  # too much like what helpers are named
    for name, value in values.items():
        if name in TOP_LEVEL or name.startswith("_"):
            continue
        if name in ELSEWHERE and value and not any(_uses(one, name, value) for one in used):
            raise UserError(f"The config sets {name}={value!r} at its top level: {ELSEWHERE[name]}")
        near = get_close_matches(name, sorted(candidates), n=1, cutoff=_NEAR)
        if near and not any(_uses(section, name, value) for section in used):
            raise UserError(
                f"The config has no section {name!r}. Did you mean {near[0]!r}? (A name of your "
                "own, which sections use, may be any that resembles none of them.)"
            )


def _uses(part: Any, name: str, value: Any) -> bool:
    """Whether a section holds what a helper name of the config stands for."""
    if isinstance(value, Mapping | list) and part == value:
        return True
    if isinstance(part, Mapping):
        return any(
            (key == name and item == value) or _uses(item, name, value)
            for key, item in part.items()
        )
    return isinstance(part, list | tuple) and any(_uses(item, name, value) for item in part)


def _check_belongings(run: Mapping[str, Any], where: str) -> None:
    """Refuse data without a loop or an evaluator; MMEngine would, but after it began to write."""
    for split in ("val", "test"):
        parts = [f"{split}_dataloader", f"{split}_cfg", f"{split}_evaluator"]
        there = [part for part in parts if run.get(part) is not None]
        if there and len(there) < len(parts):
            missing = [part for part in parts if part not in there]
            raise UserError(
                f"{where}{', '.join(parts)} belong together: {' and '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} missing."
            )


def _check_runs(cfg: Config) -> None:
    runs = cfg.to_dict().get("runs", [])
    if not isinstance(runs, list) or not all(isinstance(spec, Mapping) for spec in runs):
        raise UserError("runs must be a list of dicts: runs = [dict(name='teacher', ...), ...].")
    if "runs" in cfg and not runs:
        raise UserError("runs is an empty list: there is nothing to train.")
    for place, spec in enumerate(runs):
        where = f"runs.{place}"
        if "type" in spec:
            _check(spec, "list_of_runs", where)
            continue
        if "name" not in spec:
            raise UserError(f"{where} has no name: runs = [dict(name='teacher', ...), ...].")
        _check_seeds(spec, where)
        known = SECTIONS | set(OF_A_RUN) | {"console_log_level"}
        _check_keys(spec, Keywords(frozenset(known)), where, "a run")
        _check(spec.get("train_data"), "train_data", f"{where}.train_data")


def _check_seeds(spec: Mapping[str, Any], where: str) -> None:
    seeds = spec.get("seeds")
    whole = isinstance(seeds, Sequence) and all(type(seed) is int for seed in seeds)
    if seeds is not None and (isinstance(seeds, str) or not whole or not seeds):
        raise UserError(f"{where}.seeds must be a list of whole numbers, not {seeds!r}.")


def _check(value: Any, kind_name: str, path: str) -> None:
    """Check a part of a config, and what is inside it."""
    kind = KINDS[kind_name]
    if isinstance(value, list | tuple):
        for place, item in enumerate(value):
            _check(item, kind_name, f"{path}.{place}")
        return
    if not isinstance(value, Mapping):
        return
    if kind.named:
        for name, item in value.items():
            _check(item, kind.named, f"{path}.{name}")
        return
    target = _target(value, kind, path)
    known = keywords(target) if target is not None else Keywords(frozenset())
    if target is None and kind.registry is not None:
        return
    required = frozenset() if kind.given is None else known.required - kind.given
    known = Keywords(known.names | kind.extra, known.others, required | kind.needed)
    name = getattr(target, "__name__", "") if kind.registry is not None else ""
    _check_keys(value, known, path, name)
    _check_constructor(value, path)
    for key, inner in kind.inside_of(target).items():
        if key in value:
            _check(value[key], inner, f"{path}.{key}")


def _target(value: Mapping[str, Any], kind: Kind, path: str) -> Callable[..., Any] | None:
    """The class or the function that a dict is given to; None where it is not known."""
    if kind.registry is None:
        chosen = kind.default(value) or kind.target
        assert not isinstance(chosen, str)
        return chosen
    given = value.get("type", kind.default(value))
    if given is None:
        if kind.lenient:
            return None
        raise UserError(f"{path} says no type, such as type={kind.example!r}.")
    if not isinstance(given, str):
        return given
    found = kind.registry.get(given) or get_object_from_string(given)
    if found is None and not kind.lenient:
        raise UserError(_unknown(given, kind, path))
    return found


def _unknown(given: str, kind: Kind, path: str) -> str:
    assert kind.registry is not None
    hint = did_you_mean(given.rsplit(".", 1)[-1], known_names(kind.registry), every=False)
    return f"{path}: there is no {kind.registry.name} {given!r}.{hint}"


def _check_keys(value: Mapping[str, Any], known: Keywords, path: str, name: str) -> None:
    for key in value:
        if key in known.names or key in _BY_BUILDERS:
            continue
        # A class that takes any name is taken at its word, but for what is a slip of the keyboard.
        if known.others and not get_close_matches(key, sorted(known.names), 1, cutoff=_NEAR):
            continue
        hint = did_you_mean(key, known.names - _BY_BUILDERS, every=False)
        subject = f"{path}: {name}" if name else path
        raise UserError(f"{subject} has no {key!r}.{hint}")
    missing = sorted(known.required - set(value))
    if missing:
        subject = f"{path}: {name}" if name else path
        raise UserError(f"{subject} lacks {', '.join(map(repr, missing))}.")


def _check_constructor(value: Mapping[str, Any], path: str) -> None:
    given = value.get("constructor")
    if isinstance(given, str) and OPTIM_WRAPPER_CONSTRUCTORS.get(given) is None:
        hint = did_you_mean(given, known_names(OPTIM_WRAPPER_CONSTRUCTORS), every=False)
        raise UserError(f"{path}.constructor: there is no constructor {given!r}.{hint}")
