"""Tiny versions of configs: two steps on synthetic images, with untrained teachers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from cls_kd.data import synthetic
from cls_kd.distillers.teacher import UNTRAINED
from cls_kd.registry import HOOKS
from cls_kd.runs.checkpoints import REFERENCE, CheckpointReference
from cls_kd.runs.plain_config import PlainConfig
from cls_kd.runs.run import map_strings

STEPS = 2
BATCH = 4
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
    side = sides(cfg.pretty_text)[0]
    last = map_strings(cfg.to_dict(), lambda text: _STAND_INS.get(text, last_of(text)))
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


def sides(text: str) -> tuple[int, int]:
    """Height and width of the images for the networks that a config's text names."""
    if "CIFAR" in text:
        return 32, 32
    whole = any(name in text for name in OF_WHOLE_IMAGES)
    return (_WHOLE_SIDE,) * 2 if whole else (_SIDE,) * 2


def last_of(text: str) -> str:
    """A reference to the last checkpoint of a run in place of one of an epoch: there is one."""
    if not text.startswith(REFERENCE):
        return text
    return f"{REFERENCE}{CheckpointReference.parse(text).run}"


def _refers(weights: Any) -> bool:
    source = weights.get("source") if isinstance(weights, Mapping) else weights
    return isinstance(source, str) and source.startswith(REFERENCE)
