"""Every config as a tiny training: two steps on synthetic images, through the whole engine."""

from __future__ import annotations

import gc
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from cls_kd.data import synthetic
from cls_kd.distillers.teacher import UNTRAINED
from cls_kd.engine.compat import prepare_process
from cls_kd.engine.configs import load_config
from cls_kd.engine.smoke_groups import group_cells, joined_config
from cls_kd.engine.train import train
from cls_kd.errors import UserError, did_you_mean
from cls_kd.registry import HOOKS, MODELS
from cls_kd.runs import Run, plan, read_config
from cls_kd.runs.benchmarks import read_cells
from cls_kd.runs.checkpoints import REFERENCE, CheckpointReference
from cls_kd.runs.plain_config import PlainConfig
from cls_kd.runs.run import map_strings

STEPS = 2
BATCH = 4
_NOT_ALONE = ("_base_", "methods")
_SIDE, _WHOLE_SIDE = 64, 224
OF_WHOLE_IMAGES = ("SwinTransformer", "MlpMixer", "resmlp")
"""Networks that need images of 224 pixels; others take what is left of 64."""

_STAND_INS = {
    "beit-base-p16_beitv2-in21k-pre_3rdparty_in1k": "deit-tiny_4xb256_in1k",
    "timm:mixer_b16_224.goog_in21k_ft_in1k": "timm:mixer_s32_224",
    "timm:resnetv2_152x2_bit.goog_teacher_in21k_ft_in1k": "timm:resnetv2_50x1_bit",
}
"""Teachers that would take most of the time, and smaller ones in their place."""


@HOOKS.register_module()
class StopAfterOneEpoch(Hook):
    """Ends a training early; the learning rate still follows the schedule of the whole."""

    def after_train_epoch(self, runner: Any) -> None:
        """Stop."""
        runner.train_loop.stop_training = True


@dataclass(frozen=True)
class Outcome:
    """Result of trying one config.

    Attributes:
        name: Path below ``configs``, without its ending.
        did: What was done, ``trained 3 runs``; or the error.
        seconds: How long it took.
        failed: Whether it is an error.
    """

    name: str
    did: str
    seconds: float
    failed: bool


def find_configs(root: Path, globs: Sequence[str] = ()) -> list[Path]:
    """The configs below ``root`` that can be tried; of these, the ones that a pattern matches.

    A pattern is matched with the path below ``root`` without its ending (``benchmarks/dkd/*``), or
    is the path of a file.

    Raises:
        UserError: A pattern matches nothing; the nearest are listed.
    """
    files = {
        _name(file, root): file
        for file in sorted({*root.rglob("*.py"), *_rows(root)})
        if not file.stem.startswith("_") and not set(_NOT_ALONE) & set(file.relative_to(root).parts)
    }
    chosen: set[str] = set()
    for glob in globs:
        given = Path(glob).resolve()
        matches = {name for name in files if fnmatch(name, glob) or files[name].resolve() == given}
        if not matches:
            raise UserError(f"No config is named {glob!r}.{did_you_mean(glob, files, every=False)}")
        chosen |= matches
    return [file for name, file in files.items() if name in chosen or not globs]


def _rows(root: Path) -> list[Path]:
    """Cells of the benchmarks that are rows of a metafile."""
    cells = read_cells(root / "benchmarks")
    return [cell.config for cell in cells if cell.settings is not None]


def try_configs(files: Sequence[Path], root: Path, jobs: int = 1) -> Iterator[Outcome]:
    """Try every config, in order; an error ends the one that it is in.

    Args:
        files: The configs.
        root: Of their names.
        jobs: How many processes share them, with one thread each. Cells of the benchmarks that
            differ in their losses alone train together.
    """
    with tempfile.TemporaryDirectory() as folder:
        data = write_data(Path(folder) / "data")
        tasks = [
            (group, root, data, Path(folder) / str(number))
            for number, group in enumerate(group_cells(files))
        ]
        if jobs == 1:
            for task in tasks:
                yield from _outcomes(task)
            return
        # Anew now and then: what a hundred networks leave in memory is a lot.
        spawn = get_context("spawn")
        with spawn.Pool(jobs, torch.set_num_threads, (1,), maxtasksperchild=20) as pool:
            for outcomes in pool.imap(_outcomes, tasks):
                yield from outcomes


def _outcomes(task: tuple[Sequence[Path], Path, Path, Path]) -> list[Outcome]:
    """Try a group; where that fails, each of its configs, which tells what failed."""
    files, root, data, work_dir = task
    if len(files) == 1:
        outcome = _outcome(_name(files[0], root), lambda: try_config(files[0], data, work_dir))
        shutil.rmtree(work_dir, ignore_errors=True)
        return [outcome]
    names = [_name(file, root) for file in files]
    together = _outcome(names[0], lambda: try_together(files, data, work_dir))
    shutil.rmtree(work_dir, ignore_errors=True)
    if together.failed:
        return [out for file in files for out in _outcomes(([file], root, data, work_dir))]
    seconds = together.seconds / len(files)
    return [Outcome(name, together.did, seconds, failed=False) for name in names]


def _outcome(name: str, attempt: Callable[[], str]) -> Outcome:
    started = time.time()
    try:
        did, failed = attempt(), False
    except Exception as error:
        did, failed = f"{type(error).__name__}: {error}", True
    gc.collect()
    return Outcome(name, did, time.time() - started, failed)


def try_config(file: Path, data: Path, work_dir: Path) -> str:
    """Train every run of a config for two steps; a network alone gives logits.

    Args:
        file: A config.
        data: From ``write_data``.
        work_dir: Where runs write.
    """
    cfg = read_config(file)
    if "train_cfg" in cfg and "model" in cfg:
        runs = one_of_each(plan(load_config(file), work_dir))
        for run in runs:
            run.cfg = tiny_config(run.cfg, data)
            run.depends_on = {_last(key): needed for key, needed in run.depends_on.items()}
            train(run)
        return "trained" if len(runs) == 1 else f"trained {len(runs)} runs"
    networks = [value for value in cfg.to_dict().values() if isinstance(value, dict)]
    if not networks:
        raise UserError(f"{file} is neither a training nor a network.")
    prepare_process()
    for network in networks:
        forward(network)
    return "gives logits"


def try_together(files: Sequence[Path], data: Path, work_dir: Path) -> str:
    """Train cells that differ in their losses alone for two steps, with the losses of all."""
    (run,) = plan(joined_config(files), work_dir)
    run.cfg = tiny_config(run.cfg, data)
    train(run)
    return f"trained, {len(files)} cells at once"


def forward(network: Mapping[str, Any]) -> None:
    """Build a network and call it.

    Raises:
        UserError: It does not give one row of finite logits for each image.
    """
    built = MODELS.build(dict(network)).eval()
    text = str(network)
    shape = (1, 8, 8) if "Digits" in text else (3, *_sides(text))
    with torch.no_grad():
        logits = built(torch.zeros(BATCH, *shape))
    if len(logits) != BATCH or not torch.isfinite(logits).all():
        raise UserError(f"The network's logits are {tuple(logits.shape)}, or not finite.")


def one_of_each(runs: Sequence[Run]) -> list[Run]:
    """One of the runs that differ only in their seed and in which run they build on."""
    kept: dict[str, Run] = {}
    stands_for: dict[tuple[str, int], Run] = {}
    for run in runs:
        alike = kept.setdefault(_kind(run), run)
        stands_for[run.name, run.seed] = alike
    for run in kept.values():
        run.depends_on = {
            reference: stands_for[dependency.name, dependency.seed]
            for reference, dependency in run.depends_on.items()
        }
    return list(kept.values())


def _kind(run: Run) -> str:
    bare = PlainConfig({**run.cfg.to_dict(), "randomness": None})
    return re.sub(rf"'{REFERENCE}[^']*'", REFERENCE, bare.pretty_text)


def write_data(root: Path) -> Path:
    """Synthetic images of every format, the smallest amount that makes an epoch."""
    options = dict(train=100, test=100, seed=0)
    synthetic.write_cifar10(root / "CIFAR10", **options)
    synthetic.write_cifar100(root / "CIFAR100", **options)
    synthetic.write_cinic10(root / "CINIC10", train=20, test=20, seed=0)
    synthetic.write_folders(root / "ImageNet", train=20, test=20, seed=0, classes=10, size=_SIDE)
    for kind in ("CustomDataset", "UnlabeledFolder"):
        synthetic.write_folders(root / kind, train=20, test=20, seed=0, classes=10, size=_SIDE)
    for split in ("train", "val"):
        _write_list(root / "ImageNet", split)
    return root


def _write_list(root: Path, split: str) -> None:
    """ImageNet's list of images: without it mmpretrain insists on 1,000 folders."""
    folders = sorted(folder for folder in (root / split).iterdir() if folder.is_dir())
    lines = [
        f"{folder.name}/{image.name} {label}"
        for label, folder in enumerate(folders)
        for image in sorted(folder.iterdir())
    ]
    (root / "meta").mkdir(exist_ok=True)
    (root / "meta" / f"{split}.txt").write_text("\n".join(lines))


def tiny_config(cfg: Config, data: Path) -> Config:
    """A config of one run that ends after two steps on synthetic data, with untrained teachers."""
    side = _sides(cfg.pretty_text)[0]
    last = map_strings(cfg.to_dict(), lambda text: _STAND_INS.get(text, _last(text)))
    small = _changed(last, lambda part: _small_part(part, data, side))
    for key in ("train_dataloader", "val_dataloader", "test_dataloader"):
        loader = small.get(key)
        if loader:
            loader.update(batch_size=BATCH, num_workers=0, persistent_workers=False)
            loader["num_batch_per_epoch"] = STEPS if key == "train_dataloader" else 1
    labeled = small.get("val_cfg", {}).get("labeled")
    if labeled:
        labeled.update(batch_size=BATCH, num_workers=0)
    model = small["model"]
    if not _refers(model.get("student_weights")):
        model.pop("student_weights", None)
    teachers = model.get("teacher") or []
    for teacher in teachers if isinstance(teachers, list) else [teachers]:
        if not _refers(teacher.get("weights")):
            teacher["weights"] = UNTRAINED
    # A schedule that counts steps must not end before it begins.
    begin = max((scheduler.get("begin", 0) for scheduler in _by_step(small)), default=0)
    epochs = small["train_cfg"]["max_epochs"]
    small["train_cfg"].update(max_epochs=max(epochs, begin + 1), val_interval=1)
    small["custom_hooks"] = [*small.get("custom_hooks", []), dict(type=StopAfterOneEpoch.__name__)]
    checkpoint = small.setdefault("default_hooks", {}).setdefault("checkpoint", {})
    checkpoint.update(type="SafeCheckpointHook", interval=1, max_keep_ckpts=1)
    small["console_log_level"] = "ERROR"
    small["cpu_threads"] = torch.get_num_threads()
    return PlainConfig(small)


def _small_part(part: dict[str, Any], data: Path, side: int) -> dict[str, Any]:
    """One dict of a config: a data set reads synthetic images, a transform makes small ones."""
    kind = str(part.get("type", "")).rsplit(".", 1)[-1]
    if (data / kind).is_dir() and kind:
        part = {**part, "data_root": str(data / kind)}
        return {**part, "checksum": False} if kind.startswith("CIFAR") else part
    init = part.get("init_cfg")
    if isinstance(init, Mapping) and str(init.get("type")).endswith("TeacherClassifier"):
        # Of a teacher that is not trained here: any classifier will do.
        part = part if _refers(init["checkpoint"]) else {**part, "init_cfg": None}
    if kind == "SemCKDLoss":
        return {**part, "batch_size": BATCH}
    if kind == "RandomResizedCrop":
        return {**part, "scale": side}
    if kind == "CenterCrop":
        return {**part, "crop_size": side}
    if kind == "ResizeEdge":
        return {**part, "scale": side * 8 // 7}
    return part


def _changed(value: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    if isinstance(value, Mapping):
        return change({key: _changed(item, change) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return type(value)(_changed(item, change) for item in value)
    return value


def _by_step(cfg: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    schedulers = cfg.get("param_scheduler") or []
    listed = schedulers if isinstance(schedulers, list) else [schedulers]
    return [scheduler for scheduler in listed if scheduler.get("by_epoch", True) is False]


def _sides(text: str) -> tuple[int, int]:
    if "CIFAR" in text:
        return 32, 32
    whole = any(name in text for name in OF_WHOLE_IMAGES)
    return (_WHOLE_SIDE,) * 2 if whole else (_SIDE,) * 2


def _last(text: str) -> str:
    """A reference to the last checkpoint of a run in place of one of an epoch: there is one."""
    if not text.startswith(REFERENCE):
        return text
    return f"{REFERENCE}{CheckpointReference.parse(text).run}"


def _refers(weights: Any) -> bool:
    source = weights.get("source") if isinstance(weights, Mapping) else weights
    return isinstance(source, str) and source.startswith(REFERENCE)


def _name(file: Path, root: Path) -> str:
    return str(file.relative_to(root).with_suffix(""))
