"""Stored teacher outputs: a training that replays them is the one that stored them, to the bit."""

from __future__ import annotations

import errno
import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config

from cls_kd import core
from cls_kd.data import synthetic
from cls_kd.distillers import Teacher
from cls_kd.engine import train_runs
from cls_kd.errors import UserError
from cls_kd.teacher_store import entries
from cls_kd.teacher_store.rows import RowFile
from tests.engine import stored_runs, test_cohort, tiny_runs
from tests.engine.stored_runs import IMAGES, NETWORK, crops, digits, log, trained, weights_of

TRANSFORMS = "mmpretrain.datasets.transforms"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cifar100")
    synthetic.write_cifar100(folder, train=IMAGES, test=100, seed=3)
    return folder


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return weights_of(NETWORK, tmp_path_factory.mktemp("teacher") / "teacher.pth")


@pytest.fixture(scope="module")
def recorded(
    root: Path, teacher: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """A folder with a store of two epochs, and what the run that wrote it came to."""
    folder = tmp_path_factory.mktemp("recorded")
    cfg = crops(root, teacher, {"dir": str(folder / "stores")})
    return folder, trained(cfg, folder / "run")


@contextmanager
def images_seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Number of images in each of the batches that a teacher runs on."""
    seen: list[int] = []
    forward, predict, compare = core.Teacher.forward, Teacher.predict, core.Teacher.compare

    def counted(self: Teacher, batch: Any) -> Any:
        seen.append(len(batch.inputs))
        return forward(self, batch)

    def predicted(self: Teacher, inputs: Any, samples: Any) -> Any:
        seen.append(len(inputs))
        return predict(self, inputs, samples)

    def compared(self: Teacher, inputs: Any) -> Any:
        seen.append(len(inputs))
        return compare(self, inputs)

    with monkeypatch.context() as patch:
        patch.setattr(core.Teacher, "forward", counted)
        patch.setattr(core.Teacher, "compare", compared)
        patch.setattr(Teacher, "predict", predicted)
        yield seen


PROBE = [2]
"""Images on which a teacher is run for the key."""


def test_a_replay_is_the_run_itself_and_runs_no_teacher(
    recorded: tuple[Path, dict[str, Any]],
    root: Path,
    teacher: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With and without a store, storing and replaying: the same bits, by crops of any epoch."""
    folder, state = recorded
    plain = trained(crops(root, teacher, None), tmp_path / "plain")
    assert tiny_runs.different(state, plain) == []
    with images_seen(monkeypatch) as seen:
        cfg = crops(root, teacher, {"dir": str(folder / "stores")})
        replayed = trained(cfg, tmp_path / "replayed")
    assert tiny_runs.different(state, replayed) == []
    assert seen == PROBE
    assert f"{IMAGES} of {IMAGES} rows read" in log(tmp_path / "replayed")
    # Rows of both epochs, and no row twice.
    (entry,) = entries(folder / "stores")
    assert entry.capacity == IMAGES * 18
    assert IMAGES < entry.rows <= 2 * IMAGES
    assert "a row is the same, bit for bit" in log(folder / "run")
    assert "teacher_logits as float32, 2,700 rows, up to 1.09 MB" in log(folder / "run")


def test_another_seed_and_a_longer_run_share_the_store(
    recorded: tuple[Path, dict[str, Any]], root: Path, teacher: Path, tmp_path: Path
) -> None:
    folder, _ = recorded
    options: dict[str, Any] = dict(epochs=3, randomness__seed=5, train_dataloader__batch_size=30)
    store = {"dir": str(folder / "stores"), "verify": 0.5}
    shared = trained(crops(root, teacher, store, **options), tmp_path / "shared")
    assert (
        tiny_runs.different(
            trained(crops(root, teacher, None, **options), tmp_path / "plain"), shared
        )
        == []
    )
    assert len(entries(folder / "stores")) == 1


def test_verification_finds_a_foreign_row(
    recorded: tuple[Path, dict[str, Any]],
    root: Path,
    teacher: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, _ = recorded
    cfg = crops(root, teacher, {"dir": str(folder / "stores"), "verify": 1})
    read = RowFile.read

    def foreign(self: RowFile, *args: Any) -> Any:
        rows, *flags = read(self, *args)
        return (rows[::-1].copy(), *flags)

    monkeypatch.setattr(RowFile, "read", foreign)
    with pytest.raises(UserError, match="Stored teacher_logits differ from the teacher's: by"):
        trained(cfg, tmp_path / "foreign")


def test_damaged_rows_are_computed_again(root: Path, teacher: Path, tmp_path: Path) -> None:
    cfg = crops(root, teacher, {"dir": str(tmp_path / "stores")}, epochs=1)
    state = trained(cfg, tmp_path / "first")
    file = next((tmp_path / "stores").glob("*/all.teacher_logits.rows"))
    content = np.memmap(file, np.float32, "r+").reshape(-1, 100)
    content[np.flatnonzero(content.any(1))[:7], 3] += 1
    content.flush()
    assert tiny_runs.different(state, trained(cfg, tmp_path / "second")) == []
    assert "7 rows that did not fit their images computed again" in log(tmp_path / "second")
    assert f"{IMAGES - 7} of {IMAGES} rows read" in log(tmp_path / "second")


def test_rounded_outputs_teach_alike_when_stored_and_when_replayed(
    root: Path, teacher: Path, tmp_path: Path
) -> None:
    store = {"dir": str(tmp_path / "stores"), "dtype": "float16", "top_k": 5}
    cfg = crops(root, teacher, store, epochs=1)
    state = trained(cfg, tmp_path / "first")
    assert tiny_runs.different(state, trained(cfg, tmp_path / "second")) == []
    assert f"{IMAGES} of {IMAGES} rows read" in log(tmp_path / "second")


def test_single_images_with_mixup_replay_by_epoch(
    digits_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Transforms of mmpretrain, image by image, and mixup; each image twice an epoch."""
    mixup = {"augments": {"type": "mmpretrain.models.Mixup", "alpha": 0.8}}
    store = {"dir": str(tmp_path / "stores")}
    cfg = digits(digits_teacher, store, epochs=1, data_preprocessor__batch_augments=mixup)
    cfg.train_dataloader["dataset"] = {
        "type": "mmengine.dataset.RepeatDataset",
        "times": 2,
        "dataset": cfg.train_dataloader.dataset,
    }
    state = trained(cfg, tmp_path / "first")
    with images_seen(monkeypatch) as seen:
        replayed = trained(cfg, tmp_path / "second")
    assert tiny_runs.different(state, replayed) == []
    assert seen == PROBE
    assert "200 of 200 rows read" in log(tmp_path / "second")


def test_a_full_disk_stops_storing_and_not_training(
    digits_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve, count = os.posix_fallocate, 0

    def full_after_one_epoch(*args: int) -> None:
        nonlocal count
        count += 1
        if count > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        reserve(*args)

    monkeypatch.setattr(os, "posix_fallocate", full_after_one_epoch)
    cfg = digits(digits_teacher, {"dir": str(tmp_path / "stores")})
    trained(cfg, tmp_path / "full")
    (entry,) = entries(tmp_path / "stores")
    assert (entry.rows, entry.capacity) == (100, 100)
    text = "".join(file.read_text() for file in (tmp_path / "full").glob("*/*.log"))
    assert "not stored from here on: No space left on device. Training goes on" in text


# Refusals ---------------------------------------------------------------------------------------


class OwnGenerator:
    """A transform with a generator of its own."""

    def __init__(self) -> None:
        self.draws = np.random.default_rng(0)

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        return results


class Clock:
    """A transform whose draws nobody can repeat."""

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        results["img"] = results["img"] + np.uint8(random.SystemRandom().randrange(1, 200))
        return results


PACK = {"type": f"{TRANSFORMS}.PackInputs"}
REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"model__losses__fitnet": {"type": "cls_kd.losses.ATLoss"}},
        r"store: the losses ask this teacher for teacher_\w+, and only teacher_logits and "
        "teacher_embedding are stored: leave `store` out of this run",
    ),
    ({"model__teacher__train_mode": True}, "with train_mode=True a teacher's outputs depend"),
    (
        {"model__teacher__store__max_size": "1kB"},
        r"take up to 8\.8 kB, and max_size is 1 kB: raise max_size",
    ),
    (
        {"train_dataloader__dataset__pipeline": [{"type": OwnGenerator}, PACK]},
        r"OwnGenerator draws from a generator of its own \(draws\)",
    ),
    (
        {"train_dataloader__dataset__pipeline": [{"type": Clock}, PACK]},
        "sample 0 of the training data differs when it is drawn twice from the same seed",
    ),
    (
        {"train_dataloader__batch_sampler": {"type": "cls_kd.data.LastBatchSampler"}},
        "the loader's sampler is not DefaultSampler",
    ),
    (
        {"data_preprocessor__augment": {"type": "torchvision.transforms.v2.RandomHorizontalFlip"}},
        "RandomHorizontalFlip .* does not say which of its outcomes a sample gets",
    ),
]


@pytest.mark.parametrize(("options", "message"), REFUSED, ids=lambda value: str(value)[:40])
def test_runs_that_cannot_be_replayed_are_refused_before_anything_is_written(
    options: dict[str, Any], message: str, digits_teacher: Path, tmp_path: Path
) -> None:
    cfg = digits(digits_teacher, {"dir": str(tmp_path / "stores")})
    cfg.merge_from_dict({key.replace("__", "."): value for key, value in options.items()})
    with pytest.raises(UserError, match=message):
        trained(cfg, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_the_store_is_no_part_of_a_runs_digest_but_its_type_is(digits_teacher: Path) -> None:
    def digest(**store: Any) -> str:
        return tiny_runs.single(digits(digits_teacher, store), Path("unused")).digest()

    assert digest(dir="a", verify=0.1, max_size="1GB") == digest(dir="b")
    assert digest(dtype="float16") != digest()


def test_a_run_killed_while_it_stores_is_replayed_without_a_wrong_row(
    digits_teacher: Path, tmp_path: Path
) -> None:
    """Killed after the rows of a batch are written and before their tags are."""
    cfg = digits(digits_teacher, {"dir": str(tmp_path / "stores")}, epochs=1)
    assert tiny_runs.in_child(_die_while_storing, cfg, tmp_path / "killed", 4) == -9
    (entry,) = entries(tmp_path / "stores")
    assert 0 < entry.rows < 100
    cfg.model.teacher["store"]["verify"] = 1.0
    state = trained(cfg, tmp_path / "again")
    assert tiny_runs.different(state, trained(cfg, tmp_path / "replayed")) == []
    assert f"{entry.rows} of 100 rows read" in log(tmp_path / "again")
    assert "100 verified: equal, bit for bit" in log(tmp_path / "replayed")


def _die_while_storing(cfg: Config, work_dir: Path, batches: int) -> None:
    count = 0

    class Tags(np.ndarray):
        """Tags whose second writing for a batch does not come to its end."""

        def __setitem__(self, slots: Any, value: Any) -> None:
            nonlocal count
            count += isinstance(value, np.ndarray)
            if count == batches:
                os.kill(os.getpid(), signal.SIGKILL)
            super().__setitem__(slots, value)

    opened = RowFile.__init__

    def watched(self: Any, *args: Any) -> None:
        opened(self, *args)
        self._tags = self._tags.view(Tags)

    RowFile.__init__ = watched  # type: ignore[method-assign]
    stored_runs.trained(cfg, work_dir)


def test_runs_that_are_trained_together_fill_and_read_one_store(
    digits_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One asks for logits, the other for the embedding; alone or together, the same bits."""
    specs = {name: test_cohort.RUNS[name] for name in ("kd", "crd")}
    joined, alone = (
        test_cohort.planned(
            digits_teacher,
            tmp_path / name,
            specs,
            epochs=1,
            model__teacher__store={"dir": str(tmp_path / "stores")},
        )
        for name in ("joined", "alone")
    )
    test_cohort.together(joined)
    with images_seen(monkeypatch) as seen:
        train_runs(alone)
    assert seen == 2 * PROBE
    test_cohort.same(tmp_path / "alone", tmp_path / "joined", specs)
    (entry,) = entries(tmp_path / "stores")
    signals = {file.name.split(".")[1] for file in entry.folder.glob("*.tags")}
    assert signals == {"teacher_logits", "teacher_embedding"}
