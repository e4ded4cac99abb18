"""A run that is killed at any moment and resumed ends, to the last bit, as if it never was."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from mmengine.config import Config
from mmengine.fileio import LocalBackend

from cls_kd.distillers import Distiller
from cls_kd.engine import train
from cls_kd.engine import train as training
from tests.engine import tiny_runs
from tests.engine.tiny_runs import STEPS

EPOCHS = 4


def config(teacher: Path, **options: Any) -> Config:
    """All that is random in it: shifts, mixup, dropout, CRD's negatives; and an average."""
    cfg = tiny_runs.config(
        teacher,
        method="crd",
        epochs=EPOCHS,
        model__losses__crd__negatives=32,
        model__losses__crd__dim=8,
        model__student__backbone__dropout=0.2,
        data_preprocessor__batch_augments=dict(
            augments=[dict(type="Mixup", alpha=0.8), dict(type="CutMix", alpha=1.0)],
            probs=[0.4, 0.4],
        ),
        custom_hooks=[dict(type="EMAHook", momentum=0.1)],
        **options,
    )
    cfg.merge_from_dict({"default_hooks.checkpoint.save_best": "accuracy/top1"})
    return cfg


def killed() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def patched(owner: type, name: str, instead: Callable[..., Any]) -> None:
    """In a process of its own: nothing to undo."""
    original = getattr(owner, name)
    setattr(owner, name, lambda *args, **options: instead(original, *args, **options))


# Each is called in the process that is to die, with a number that says when.


def in_step(number: int) -> None:
    count = iter(range(number))

    def step(original: Callable[..., Any], *args: Any, **options: Any) -> Any:
        if next(count, None) is None:
            killed()
        return original(*args, **options)

    patched(Distiller, "train_step", step)


def in_validation(number: int) -> None:
    count = iter(range(number))

    def step(original: Callable[..., Any], *args: Any, **options: Any) -> Any:
        if next(count, None) is None:
            killed()
        return original(*args, **options)

    patched(Distiller, "val_step", step)


def half_written(number: int) -> None:
    """Half of a checkpoint reaches the disk."""
    count = iter(range(number))

    def put(original: Callable[..., Any], backend: Any, content: bytes, path: str) -> None:
        if str(path).endswith((".pth", ".tmp")) and next(count, None) is None:
            with Path(path).open("wb") as file:
                file.write(content[: len(content) // 2])
            killed()
        original(backend, content, path)

    patched(LocalBackend, "put", put)


def before_rename(number: int) -> None:
    """A checkpoint, the pointer to it, or the result: written and not yet in its place."""
    count = iter(range(number))

    def replace(original: Callable[..., Any], path: Path, target: Path) -> Path:
        if next(count, None) is None:
            killed()
        return original(path, target)

    patched(Path, "replace", replace)


def before_removal(number: int) -> None:
    """The surplus checkpoint is still there."""

    def unlink(original: Callable[..., Any], path: Path, **options: Any) -> None:
        if path.suffix == ".pth":
            killed()
        original(path, **options)

    patched(Path, "unlink", unlink)


def train_and_die(cfg: Config, work_dir: Path, how: Callable[[int], None], when: int) -> None:
    how(when)
    training(tiny_runs.single(cfg, work_dir), resume=True)


def check_pointer(work_dir: Path) -> None:
    """It names no file, or one that is there and whole."""
    if (work_dir / "last_checkpoint").exists():
        assert tiny_runs.last(work_dir)["meta"]["epoch"] >= 1


@pytest.fixture(scope="module")
def uninterrupted(
    digits_teacher: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[int], Path]:
    done: dict[int, Path] = {}

    def get(workers: int) -> Path:
        if workers not in done:
            place = tmp_path_factory.mktemp("whole") / "run"
            cfg = config(digits_teacher, train_dataloader__num_workers=workers)
            assert tiny_runs.in_child(tiny_runs.train_in_child, cfg, place) == 0
            done[workers] = place
        return done[workers]

    return get


# Where a chain of kills strikes: the first kill within the first start, and so on.
_draw = random.Random(20261121)
CHAINS: dict[str, list[tuple[Callable[[int], None], int]]] = {
    "steps": [
        (in_step, _draw.randrange(1, STEPS)),  # no checkpoint yet
        (in_step, _draw.randrange(STEPS + 1, 2 * STEPS)),
        (in_step, 0),
        (in_step, _draw.randrange(STEPS, 2 * STEPS)),
    ],
    "checkpoints": [
        (half_written, 0),
        (half_written, 2),
        (before_rename, 1),
        (before_removal, 0),
        (half_written, 0),
    ],
    "validation": [
        (in_validation, 0),
        (in_validation, 1),
        (before_rename, 3),
        (in_validation, 0),
    ],
}


@pytest.mark.parametrize("chain", CHAINS)
def test_a_killed_run_ends_as_one_that_was_not(
    chain: str, digits_teacher: Path, uninterrupted: Callable[[int], Path], tmp_path: Path
) -> None:
    cfg, place = config(digits_teacher), tmp_path / "run"
    for how, when in CHAINS[chain]:
        code = tiny_runs.in_child(train_and_die, cfg, place, how, when)
        assert code == -signal.SIGKILL, how.__name__
        assert not (place / "result.json").exists()
        check_pointer(place)
    assert tiny_runs.in_child(tiny_runs.train_in_child, cfg, place, True) == 0
    assert not tiny_runs.different(tiny_runs.state(uninterrupted(0)), tiny_runs.state(place))


def test_a_run_may_die_before_any_rename(digits_teacher: Path, tmp_path: Path) -> None:
    """Every write of a run ends in a rename; whatever is there before it is whole."""
    cfg = tiny_runs.config(digits_teacher, epochs=1)
    for number in range(20):
        place = tmp_path / str(number)
        code = tiny_runs.in_child(train_and_die, cfg, place, before_rename, number)
        check_pointer(place)
        if code == 0:
            break
        assert code == -signal.SIGKILL
        assert not (place / "result.json").exists()
    assert code == 0
    assert number >= 4  # the config, a checkpoint, the pointer to it, the result


def test_also_with_workers(
    digits_teacher: Path, uninterrupted: Callable[[int], Path], tmp_path: Path
) -> None:
    cfg, place = config(digits_teacher, train_dataloader__num_workers=2), tmp_path / "run"
    assert tiny_runs.in_child(train_and_die, cfg, place, in_step, 2 * STEPS + 3) == -signal.SIGKILL
    assert tiny_runs.in_child(tiny_runs.train_in_child, cfg, place, True) == 0
    assert not tiny_runs.different(tiny_runs.state(uninterrupted(2)), tiny_runs.state(place))


def test_also_where_training_was_over(
    digits_teacher: Path, uninterrupted: Callable[[int], Path], tmp_path: Path
) -> None:
    """Killed while the last epoch is validated: nothing is left to train."""
    cfg, place = config(digits_teacher), tmp_path / "run"
    assert (
        tiny_runs.in_child(train_and_die, cfg, place, in_validation, EPOCHS - 1) == -signal.SIGKILL
    )
    assert tiny_runs.in_child(tiny_runs.train_in_child, cfg, place, True) == 0
    expected, found = tiny_runs.result(uninterrupted(0)), tiny_runs.result(place)
    assert found == expected
    assert [entry["epoch"] for entry in found["val"]] == [1, 2, 3, 4]


def test_two_seeds_do_differ(digits_teacher: Path, tmp_path: Path) -> None:
    """Or the comparisons above would show nothing."""
    for seed in (0, 1):
        cfg = tiny_runs.config(digits_teacher, epochs=1, randomness__seed=seed)
        train(tiny_runs.single(cfg, tmp_path / str(seed)))
    first, second = (tiny_runs.state(tmp_path / str(seed)) for seed in (0, 1))
    changed = tiny_runs.different(first, second)
    assert any(key.startswith("/state_dict/student") for key in changed)
    assert "/history/train/0/loss" in changed
