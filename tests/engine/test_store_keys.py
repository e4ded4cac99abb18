"""The key of stored teacher outputs: each part of it, changed in turn, is never a hit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch.utils.data import Dataset

from cls_kd import core
from cls_kd.core.stored_teacher import StoredTeacher
from cls_kd.data import synthetic
from cls_kd.engine import teacher_stores
from cls_kd.engine.teacher_stores import key_parts, stored_teachers
from cls_kd.engine.train import build_parts
from cls_kd.teacher_store import key_of
from tests.engine.stored_runs import IMAGES, NETWORK, crops, digits, weights_of

PACK = {"type": "mmpretrain.datasets.transforms.PackInputs"}
CROP = {"type": "mmpretrain.datasets.transforms.CenterCrop", "crop_size": 30}
AMP = {"type": "cls_kd.engine.compat.CPUAmpOptimWrapper"}
MIXUP = {"augments": {"type": "mmpretrain.models.Mixup", "alpha": 0.8}}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cifar100")
    synthetic.write_cifar100(folder, train=IMAGES, test=100, seed=3)
    return folder


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return weights_of(NETWORK, tmp_path_factory.mktemp("teacher") / "teacher.pth")


@pytest.fixture(autouse=True)
def _same_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def built(cfg: Config) -> tuple[StoredTeacher, Dataset]:
    model, loaders, _ = build_parts(cfg)
    (stored,) = stored_teachers(model)
    return stored, loaders["train_dataloader"].dataset


def parts(cfg: Config) -> dict[str, Any]:
    return key_parts(cfg, *built(cfg))


@pytest.fixture(scope="module")
def run(root: Path, teacher: Path) -> tuple[Config, StoredTeacher, Dataset]:
    cfg = crops(root, teacher, {})
    return cfg, *built(cfg)


@pytest.fixture(scope="module")
def unchanged(run: tuple[Config, StoredTeacher, Dataset]) -> dict[str, Any]:
    return flat(key_parts(*run))


def flat(key: dict[str, Any]) -> dict[str, Any]:
    """Path to value; what a teacher does and how rows are addressed are one part each."""
    whole = ("teacher.options", "teacher.settings", "rows")
    result = {}
    for name, value in key.items():
        inner = {"": value} if name in whole or not isinstance(value, dict) else value
        result.update({f"{name}.{path}".rstrip("."): item for path, item in inner.items()})
    return result


def merged(**options: Any) -> Callable[[Config, Path], None]:
    changes = {key.replace("__", "."): value for key, value in options.items()}
    return lambda cfg, _: cfg.merge_from_dict(changes)


def another_weight(cfg: Config, folder: Path) -> None:
    file = torch.load(cfg.model.teacher["weights"], weights_only=True)
    file["state_dict"]["head.fc.bias"][0] += 1e-3
    torch.save(file, folder / "changed.pth")
    cfg.model.teacher["weights"] = str(folder / "changed.pth")


def another_image(cfg: Config, folder: Path) -> None:
    synthetic.write_cifar100(folder, train=IMAGES, test=100, seed=4)
    cfg.train_dataloader.dataset["data_root"] = str(folder)


REBUILT: list[tuple[str, Callable[[Config, Path], None]]] = [
    ("teacher.weights", another_weight),
    ("teacher.network", merged(model__teacher__network__backbone__dropout=0.5)),
    ("teacher.options", merged(model__teacher__taps={"embedding": "neck"})),
    ("teacher.options", merged(model__teacher__input_size=16)),
    ("teacher.settings", merged(model__teacher__fold_batch_norm=False)),
    ("teacher.settings", merged(model__teacher__dtype="bfloat16")),
    ("teacher.settings", merged(model__teacher__channels_last=True)),
    (
        "teacher.options",
        merged(model__teacher__data_preprocessor={"mean": [1.0] * 3, "std": [2.0] * 3}),
    ),
    ("preprocessing", merged(data_preprocessor__std=[60.0, 65.4, 70.4])),
    ("preprocessing", merged(data_preprocessor__augment__padding=2)),
    ("rows", merged(data_preprocessor__augment__flip=False)),
    ("rows", merged(data_preprocessor__batch_augments=MIXUP, data_preprocessor__num_classes=100)),
    ("rows", merged(train_dataloader__dataset__indices=IMAGES - 1)),
    ("data", another_image),
    ("stored.dtype", merged(model__teacher__store__dtype="float16")),
    ("stored.logits", merged(model__teacher__store__top_k=5)),
    ("device.threads", merged(cpu_threads=2)),
]
"""Part, and a change of the config that changes it."""

READ: list[tuple[str, dict[str, Any]]] = [
    ("pipeline", {"train_dataloader__dataset__pipeline": [CROP, PACK]}),
    ("preprocessing", {"data_preprocessor__mean": [1.0, 2.0, 3.0]}),
    ("precision.wrapper", {"optim_wrapper": AMP}),
    ("precision.dtype", {"optim_wrapper__dtype": "float16"}),
    ("precision.compile", {"compile": True}),
]
"""Part, and a change of the config that needs no other network or data to be seen."""


def _true() -> bool:
    return True


PROCESS: list[tuple[str, Any, str, Any]] = [
    ("format", teacher_stores, "FORMAT", 0),
    ("teacher.outputs", core.Teacher, "select_classes", lambda self, logits: logits + 1e-6),
    ("teacher.settings", core.Teacher, "settings", {"folded": True}),
    ("precision.matmul", torch, "get_float32_matmul_precision", lambda: "medium"),
    ("precision.tf32", torch.backends.cudnn, "allow_tf32", False),
    ("precision.deterministic", torch, "are_deterministic_algorithms_enabled", _true),
    ("precision.benchmark", torch.backends.cudnn, "benchmark", True),
    ("device.name", torch.backends.cpu, "get_cpu_capability", lambda: "other"),
    ("device.mkldnn", torch.backends.mkldnn, "enabled", False),
    *(
        (f"versions.{name}", name, "__version__", "0.0")
        for name in ("cls_kd", "mmcv", "mmpretrain", "numpy", "torch", "torchvision")
    ),
]
"""Part, and an attribute of this process that changes it."""


@pytest.mark.parametrize(("part", "change"), REBUILT, ids=lambda value: str(value)[:20])
def test_a_changed_run_is_no_hit(
    part: str,
    change: Callable[[Config, Path], None],
    unchanged: dict[str, Any],
    root: Path,
    teacher: Path,
    tmp_path: Path,
) -> None:
    cfg = crops(root, teacher, {})
    change(cfg, tmp_path)
    changed = flat(parts(cfg))
    assert changed[part] != unchanged[part]
    assert key_of(changed) != key_of(unchanged)


@pytest.mark.parametrize(("part", "options"), READ, ids=lambda value: str(value)[:20])
def test_a_changed_config_is_no_hit(
    part: str,
    options: dict[str, Any],
    unchanged: dict[str, Any],
    run: tuple[Config, StoredTeacher, Dataset],
    root: Path,
    teacher: Path,
    tmp_path: Path,
) -> None:
    cfg = crops(root, teacher, {})
    merged(**options)(cfg, tmp_path)
    changed = flat(key_parts(cfg, *run[1:]))
    assert [name for name in changed if changed[name] != unchanged[name]] == [part]


@pytest.mark.parametrize(("part", "owner", "name", "value"), PROCESS, ids=lambda v: str(v)[:20])
def test_another_process_is_no_hit(
    part: str,
    owner: Any,
    name: str,
    value: Any,
    unchanged: dict[str, Any],
    run: tuple[Config, StoredTeacher, Dataset],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if value is False:  # the other one of what this process has
        value = not getattr(owner, name)
    if isinstance(owner, str):
        monkeypatch.setattr(f"{owner}.{name}", value)
    else:
        monkeypatch.setattr(owner, name, value, raising=name != "settings")
    changed = flat(key_parts(*run))
    different = {key for key in changed if changed[key] != unchanged[key]}
    # Other kernels may give other outputs, which are a part as well.
    assert part in different <= {part, "teacher.outputs"}


def test_every_part_is_tried(unchanged: dict[str, Any]) -> None:
    assert {entry[0] for entry in (*REBUILT, *READ, *PROCESS)} == set(unchanged)


def test_seed_length_batches_and_places_are_no_parts_by_crop(
    unchanged: dict[str, Any], root: Path, teacher: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(root)
    options: dict[str, Any] = dict(epochs=9, randomness__seed=8, train_dataloader__batch_size=8)
    store = {"dir": str(tmp_path), "max_size": "1GB", "verify": 0.1}
    assert flat(parts(crops(link, teacher, store, **options))) == unchanged


def test_by_epoch_the_seed_and_the_batches_of_mixup_are_parts(digits_teacher: Path) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"randomness__seed": 1},
        {"data_preprocessor__batch_augments": MIXUP},
        {"data_preprocessor__batch_augments": MIXUP, "train_dataloader__batch_size": 10},
    ]
    rows = [str(parts(digits(digits_teacher, {}, **change))["rows"]) for change in changes]
    assert len(set(rows)) == len(changes)
