"""The sections of a config and of its runs: names that nothing reads, parts that are missing.

What is inside a section is checked by ``cls_kd.engine.check_config``, against the classes that
get it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from mmengine.config import Config

from cls_kd.errors import UserError, did_you_mean
from cls_kd.runs.entries import check_has_entries, run_entries
from cls_kd.runs.planning import merged_runs
from cls_kd.runs.registry import run_list
from cls_kd.runs.sections import OF_A_RUN, SECTIONS, TOP_LEVEL
from cls_kd.runs.signatures import Keywords, keywords

_DEVICE = (
    "the device is no key of the config: a GPU is used where PyTorch finds one, else the CPU. "
    "CUDA_VISIBLE_DEVICES=1 chooses the second GPU, an empty CUDA_VISIBLE_DEVICES= the CPU."
)
ELSEWHERE = {
    **dict.fromkeys(("device", "devices", "cuda", "gpu", "gpus", "gpu_id", "gpu_ids"), _DEVICE),
    "resume": "it is an option of the command: cls-kd train CONFIG --resume [PATH].",
    "launcher": "it is an option of the command: cls-kd train CONFIG --launcher pytorch.",
    "seed": "it is an option of the command, --seed N, or randomness.seed in the config.",
    "deterministic": "it is an option of the command, --deterministic.",
    "amp": "it is an option of the command, --amp.",
    "method": "it is an option of the command, --method NAME.",
}
"""Settings that belong elsewhere than to the top level of a config, and where that is."""
_BY_BUILDERS = frozenset({"type", "_scope_", "_delete_"})
_NEAR = 0.85
"""Similarity (difflib's) from which a name counts as misspelt. Ours."""


def check_sections(cfg: Config) -> None:
    """Refuse sections that nothing reads, entries of ``runs`` that are none, and parts of data.

    A config may define names of its own at its top level, such as a pipeline that two loaders
    share. One that resembles a section and is used nowhere is taken for a misspelt section.

    Args:
        cfg: A whole config, with ``randomness``.

    Raises:
        UserError: A key that is not known, with the nearest that are; or what is missing.
    """
    _check_top_level(cfg)
    _check_runs(cfg)
    # A file that holds losses or data alone is no training.
    for name, _, merged in merged_runs(cfg) if "model" in cfg else [("", {}, cfg)]:
        if "train_cfg" in merged:
            _check_belongings(merged, f"The run {name!r}: " if name else "")


def _check_top_level(cfg: Config) -> None:
    values = cfg.to_dict()
    used = [value for key, value in values.items() if key in TOP_LEVEL]
    candidates = TOP_LEVEL - {"train_data", "method"}  # too much like what helpers are named
    for name, value in values.items():
        if name in TOP_LEVEL or name.startswith("_"):
            continue
        if name in ELSEWHERE and value and not any(_uses(section, name, value) for section in used):
            raise UserError(f"The config sets {name}={value!r} at its top level: {ELSEWHERE[name]}")
        near = get_close_matches(name, sorted(candidates), n=1, cutoff=_NEAR)
        if near and not any(_uses(section, name, value) for section in used):
            raise UserError(
                f"The config has no section {name!r}. Did you mean {near[0]!r}? (A name of your "
                "own, which sections use, may be any that resembles none of them.)"
            )


def _uses(part: Any, name: str, value: Any) -> bool:
    """Test for a section that holds the value of a helper name of the config."""
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
    if "runs" not in cfg:
        return
    runs = cfg.to_dict()["runs"]
    check_has_entries(runs)
    for where, spec in run_entries(runs).items():
        if "type" in spec:
            make = run_list(spec["type"])
            check_keys(spec, Keywords(keywords(make).names), where, make.__name__)
            continue
        _check_seeds(spec, where)
        known = SECTIONS | set(OF_A_RUN) | {"console_log_level"}
        check_keys(spec, Keywords(frozenset(known)), where, "a run")


def _check_seeds(spec: Mapping[str, Any], where: str) -> None:
    seeds = spec.get("seeds")
    whole = isinstance(seeds, Sequence) and all(type(seed) is int for seed in seeds)
    if seeds is not None and (isinstance(seeds, str) or not whole or not seeds):
        raise UserError(f"{where}.seeds must be a list of whole numbers, not {seeds!r}.")


def check_keys(value: Mapping[str, Any], known: Keywords, path: str, name: str) -> None:
    """Refuse keys that are not known, and missing ones that are required.

    Args:
        value: A dict of a config.
        known: The keys that it may have.
        path: Where it stands, for messages.
        name: What it is given to, for messages; may be empty.

    Raises:
        UserError: Names the key and the nearest known ones.
    """
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
