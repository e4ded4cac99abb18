"""What the hooks log, save and seed."""

from __future__ import annotations

import copy
import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook, IterTimerHook, RuntimeInfoHook
from mmengine.logging import MessageHub

from cls_kd.distillers import Distiller
from cls_kd.engine import DistillRunner, build_runner, train
from cls_kd.engine.divergence import RECORD
from cls_kd.engine.hook_list import acts
from cls_kd.engine.hooks import (
    BufferedTimerHook,
    EpochSeedHook,
    SafeCheckpointHook,
    TrainingTimeHook,
)
from cls_kd.engine.hooks.checkpoint import point_to
from cls_kd.engine.hooks.teacher import TeacherHook
from cls_kd.errors import DivergedError
from tests.engine import tiny_runs
from tests.engine.tiny_runs import STEPS


def runner_of(cfg: Any, work_dir: Path, *hooks: Hook) -> DistillRunner:
    cfg.work_dir = str(work_dir)
    runner = build_runner(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    return runner


# --- what is logged ---


@pytest.mark.parametrize("interval", [1, 3, 50])
def test_the_history_is_that_of_mmengines_own_hook(
    interval: int, digits_teacher: Path, tmp_path: Path
) -> None:
    """Value by value, in the same order: of a dkd run, whose weights change from step to step."""
    logged = {}
    for name, hook in (("ours", None), ("theirs", dict(type=RuntimeInfoHook))):
        cfg = tiny_runs.config(digits_teacher, method="dkd", epochs=2)
        cfg.default_hooks.logger.interval = interval
        if hook:
            cfg.default_hooks.runtime_info = hook
        runner = runner_of(cfg, tmp_path / name)
        runner.train()
        logged[name] = {
            key: [float(value) for value in buffer.data[0]]
            for key, buffer in runner.message_hub.log_scalars.items()
            if not key.endswith("time")
        }
        runner.close()
    names = {name for name in logged["ours"] if name.startswith("train/")}
    assert {"train/loss", "train/lr", "train/ce.loss"} < names
    assert any(name.startswith("train/dkd.") for name in names)
    assert all(len(logged["ours"][name]) == 2 * STEPS for name in names)
    assert logged["ours"] == logged["theirs"]


class CountSynchronisations(Hook):
    """How often a value is fetched from a tensor within training steps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.inside, self.counts = False, []
        for name in ("item", "tolist", "__float__", "__bool__", "__int__", "numpy", "cpu"):
            monkeypatch.setattr(torch.Tensor, name, self.counting(getattr(torch.Tensor, name)))

    def counting(self, original: Any) -> Any:
        def call(tensor: torch.Tensor, *args: Any, **options: Any) -> Any:
            if self.inside and torch.is_grad_enabled():
                self.counts[-1] += 1
            return original(tensor, *args, **options)

        return call

    priority = "HIGHEST"

    def before_train_iter(self, *_: Any, **__: Any) -> None:
        self.inside = True
        self.counts.append(0)


class StopCounting(Hook):
    priority = "LOWEST"

    def __init__(self, counter: CountSynchronisations) -> None:
        self.counter = counter

    def after_train_iter(self, *_: Any, **__: Any) -> None:
        self.counter.inside = False


def test_values_are_fetched_once_for_many_steps(
    digits_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an accelerator each fetch makes the host wait. Labels are looked at on the CPU only."""
    monkeypatch.setattr(
        "cls_kd.signals.batch.check_label_range", lambda labels, num_classes, where: None
    )
    counter = CountSynchronisations(monkeypatch)
    cfg = tiny_runs.config(digits_teacher, method="srrl", epochs=1)
    assert "clip_grad" in cfg.optim_wrapper, "of which MMEngine fetches the norm in every step"
    cfg.merge_from_dict({"train_dataloader.batch_size": 5, "default_hooks.logger.interval": 10})
    runner = runner_of(cfg, tmp_path, counter, StopCounting(counter))
    runner.train()
    runner.close()
    steps = counter.counts
    assert len(steps) == 20
    quiet = [count for number, count in enumerate(steps, start=1) if number % 10]
    assert quiet == [0] * 18
    assert all(1 <= count <= 10 for count in steps[9::10])


def test_of_hooks_only_what_acts_is_called() -> None:
    class Own:
        def before_train_iter(self) -> None: ...

    class Inner(Hook):
        def _after_iter(self, *_: Any, **__: Any) -> None: ...

    patched = Hook()
    patched.before_train = lambda runner: None  # type: ignore[method-assign]
    stages = ("before_train", "before_train_iter", "after_train_iter", "after_val_iter")
    acting = [[acts(hook, stage) for stage in stages] for hook in (Own(), Inner(), patched, Hook())]
    assert acting == [
        [False, True, False, False],
        [False, False, True, True],
        [True, False, False, False],
        [False] * 4,
    ]


def test_figures_and_losses_are_in_the_result(digits_teacher: Path, tmp_path: Path) -> None:
    result = train(tiny_runs.single(tiny_runs.config(digits_teacher, method="srrl"), tmp_path))
    assert [entry["epoch"] for entry in result["train"]] == [1, 2]
    first = result["train"][0]
    assert "grad_norm" not in first, "a figure, no loss"
    assert {"loss", "ce.loss", "srrl.loss_feature", "srrl.loss_logits"} <= set(first)
    terms = first["ce.loss"] + first["srrl.loss_feature"] + first["srrl.loss_logits"]
    assert first["loss"] == pytest.approx(terms, rel=1e-5)
    assert [entry["epoch"] for entry in result["val"]] == [1, 2]
    assert set(result["test"]) == {"accuracy/top1"}
    assert 0 <= result["teacher"]["0"]["accuracy/top1"] <= 100
    assert result["checkpoint"] == "epoch_2.pth"


def test_times_are_kept_until_they_are_read(digits_teacher: Path, tmp_path: Path) -> None:
    """A value for each step, as by MMEngine's hook, which copies both histories in each of them."""
    cfg = tiny_runs.config(digits_teacher, epochs=2)
    assert cfg.default_hooks.timer.type == "mmengine.hooks.IterTimerHook"
    cfg.default_hooks.logger.interval = 2
    etas: list[tuple[int, Any]] = []

    class Reader(Hook):
        priority = "VERY_LOW"

        def after_train_iter(self, runner: Any, *_: Any, **__: Any) -> None:
            etas.append((runner.iter, runner.message_hub.runtime_info.get("eta")))

    runner = runner_of(cfg, tmp_path, Reader())
    (timer,) = (hook for hook in runner.hooks if isinstance(hook, IterTimerHook))
    assert type(timer) is BufferedTimerHook
    runner.train()
    runner.close()
    for name in ("train/time", "train/data_time"):
        values, counts = runner.message_hub.log_scalars[name].data
        assert len(values) == sum(counts) == 2 * STEPS
        assert all(value > 0 for value in values)
    assert etas[0][1] is None, "nothing reads it in the first step"
    assert etas[1][1] > etas[-1][1] == 0


# --- divergence ---


class Poison:
    """A network's loss turns into something else at one step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, term: str, step: int, value: float) -> None:
        original, calls = Distiller.loss, iter(range(1, 1000))

        def loss(model: Distiller, *args: Any, **options: Any) -> dict[str, torch.Tensor]:
            terms = original(model, *args, **options)
            if next(calls) >= step:
                terms[term] = terms[term] * 0 + value
            return terms

        monkeypatch.setattr(Distiller, "loss", loss)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_divergence_names_loss_and_step_and_saves_nothing_more(
    value: float, digits_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Poison(monkeypatch, "kd.loss", 2 * STEPS + 2, value)
    seen: list[list[int]] = []

    def note(hook: Any, runner: Any, batch_idx: int, data_batch: Any, outputs: Any) -> None:
        seen.append([sample.sample_idx for sample in data_batch["data_samples"]])

    monkeypatch.setattr(TrainingTimeHook, "after_train_iter", note, raising=False)
    cfg = tiny_runs.config(digits_teacher, epochs=4)
    cfg.default_hooks.logger.interval = 50
    run = tiny_runs.single(cfg, tmp_path)
    with pytest.raises(DivergedError, match=rf"'kd.loss' became {value} at step 12 \(epoch 3\)"):
        train(run)
    assert sorted(file.name for file in tmp_path.glob("*.pth")) == ["epoch_1.pth", "epoch_2.pth"]
    assert tiny_runs.last(tmp_path)["meta"]["epoch"] == 2
    assert not (tmp_path / "result.json").exists()
    record = json.loads((tmp_path / RECORD).read_text())
    assert (record["epoch"], record["step"]) == (3, 12)
    assert record["batch"] == seen[11]
    assert record["values"]["kd.loss"] == repr(value)
    assert "student.head.fc.weight" in record["weight_norms"]
    monkeypatch.undo()
    assert train(run, resume=True)["checkpoint"] == "epoch_4.pth"


# --- checkpoints ---


class Saver:
    """Stands for a runner; notes in which order files come and go."""

    def __init__(self, work_dir: Path) -> None:
        self.work_dir, self.epoch, self.iter = str(work_dir), 0, 0
        self.message_hub = MessageHub.get_current_instance()
        self.model = torch.nn.Linear(1, 1)
        self.logger = logging.getLogger("test")
        self.seen: list[tuple[set[str], str]] = []

    def save_checkpoint(self, out_dir: str, name: str, **_: Any) -> None:
        self.look()
        Path(out_dir, name).write_text("")
        self.look()

    def look(self) -> None:
        place = Path(self.work_dir)
        pointer = place / "last_checkpoint"
        target = Path(pointer.read_text()).name if pointer.exists() else ""
        self.seen.append(({file.name for file in place.glob("*.pth")}, target))


def test_the_new_checkpoint_is_there_before_the_old_one_goes(tmp_path: Path) -> None:
    saver, hook = Saver(tmp_path), SafeCheckpointHook(interval=1, max_keep_ckpts=1)
    hook.before_train(saver)
    for epoch in range(4):
        saver.epoch = epoch
        hook._save_checkpoint(saver)
        saver.look()
    for files, target in saver.seen:
        assert not target or target in files
    assert saver.seen[-2] == ({"epoch_3.pth", "epoch_4.pth"}, "epoch_3.pth")
    assert saver.seen[-1] == ({"epoch_4.pth"}, "epoch_4.pth")
    assert saver.message_hub.get_info("keep_ckpt_ids") == [4]


@pytest.mark.parametrize(("keep", "left"), [(1, [4]), (2, [3, 4]), (-1, [1, 2, 3, 4])])
def test_as_many_checkpoints_stay_as_are_wanted(keep: int, left: list[int], tmp_path: Path) -> None:
    saver, hook = Saver(tmp_path), SafeCheckpointHook(interval=1, max_keep_ckpts=keep)
    hook.before_train(saver)
    for epoch in range(4):
        saver.epoch = epoch
        hook._save_checkpoint(saver)
        hook._save_checkpoint(saver)  # as after a better validation
    assert sorted(file.name for file in tmp_path.glob("*.pth")) == [f"epoch_{n}.pth" for n in left]


def test_the_pointer_is_written_in_one_piece(tmp_path: Path) -> None:
    point_to(tmp_path, "epoch_1.pth")
    point_to(tmp_path, "epoch_2.pth")
    assert (tmp_path / "last_checkpoint").read_text() == "epoch_2.pth"
    assert [file.name for file in tmp_path.iterdir()] == ["last_checkpoint"]


def test_a_checkpoint_of_a_run_holds_no_teacher(digits_teacher: Path, tmp_path: Path) -> None:
    train(tiny_runs.single(tiny_runs.config(digits_teacher, method="crd", epochs=1), tmp_path))
    keys = set(tiny_runs.last(tmp_path)["state_dict"])
    assert all(key.startswith(("student.", "losses.")) for key in keys)
    assert not any("teacher" in key for key in keys if not key.startswith("losses.crd"))
    assert not any("running_mean" in key for key in keys if not key.startswith("student."))


# --- the teacher ---


def test_a_teacher_that_changed_is_noticed() -> None:
    teachers = [SimpleNamespace(digest=lambda: "after", train_mode=False)]
    runner = SimpleNamespace(model=SimpleNamespace(teachers=teachers))
    hook = TeacherHook()
    hook.digests = ["before"]
    with pytest.raises(RuntimeError, match="Teacher 0 has changed"):
        hook.after_train(runner)


# --- seeds ---


class Draws(Hook):
    """What is drawn in the first step of each epoch; priority after the seeds."""

    def __init__(self) -> None:
        self.drawn: dict[int, tuple[float, float, float]] = {}
        self.images: dict[int, list[torch.Tensor]] = {}

    def before_train_epoch(self, runner: Any) -> None:
        self.drawn[runner.epoch] = float(torch.rand(1)), np.random.rand(), runner.epoch

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        images = torch.stack([image.clone() for image in data_batch["inputs"]])
        self.images.setdefault(runner.epoch, []).append(images)


@pytest.fixture
def before_epoch() -> Any:
    def draw(seed: int, epoch: int, rank: int = 0) -> tuple[float, float]:
        hook = EpochSeedHook()
        runner = SimpleNamespace(seed=seed, epoch=epoch, iter=epoch * 7)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("cls_kd.engine.hooks.epoch_seed.get_rank", lambda: rank)
            hook.before_train_epoch(runner)
        return float(torch.rand(1)), float(np.random.rand())

    return draw


def test_an_epochs_draws_depend_on_seed_epoch_and_rank_alone(before_epoch: Any) -> None:
    first = before_epoch(0, 3)
    torch.rand(100), np.random.rand(100)
    assert before_epoch(0, 3) == first
    others = [before_epoch(1, 3), before_epoch(0, 4), before_epoch(0, 3, rank=1)]
    assert len({first, *others}) == 4
    # No two of them share a generator's numbers, as seed + epoch would make them.
    assert before_epoch(3, 0) != before_epoch(0, 3)


@pytest.mark.parametrize("workers", [0, 2])
def test_augmentations_of_an_epoch_do_not_depend_on_what_ran_before(
    workers: int, digits_teacher: Path, tmp_path: Path
) -> None:
    seen = []
    for with_validation in (True, False):
        cfg = tiny_runs.config(digits_teacher, epochs=2)
        cfg.train_dataloader.num_workers = workers
        cfg.train_dataloader.sampler.shuffle = False
        if not with_validation:
            cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
            np.random.rand(17), torch.rand(23)
        draws = Draws()
        runner = runner_of(copy.deepcopy(cfg), tmp_path / str(with_validation), draws)
        runner.train()
        runner.close()
        seen.append(draws.images)
    for epoch in (0, 1):
        assert all(torch.equal(*pair) for pair in zip(seen[0][epoch], seen[1][epoch], strict=True))
    # Without shuffling only the augmentations differ from epoch to epoch, in every worker.
    for batch in range(4):
        assert not torch.equal(seen[0][0][batch], seen[0][1][batch])
