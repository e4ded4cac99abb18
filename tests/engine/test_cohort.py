"""Runs that are trained together end as each does alone, to the last bit."""

from __future__ import annotations

import copy
import os
import random
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.dist import get_rank

from cls_kd.core.teacher import Teacher
from cls_kd.distillers import Distiller
from cls_kd.engine import plan, train_runs
from cls_kd.engine.cohort_executor import CohortExecutor
from cls_kd.engine.events import RunEvent, RunFailed
from cls_kd.engine.generators import Generators, SharedCall
from cls_kd.errors import DivergedError, PreemptedError
from cls_kd.losses import DistillLoss
from cls_kd.runs import Run
from cls_kd.runs.cohorts import last_step
from tests.distributed.test_two_processes import in_two
from tests.engine import tiny_runs
from tests.engine.test_resume import in_validation, patched
from tests.engine.tiny_runs import STEPS

DROPOUT = {"model": {"student": {"backbone": {"dropout": 0.2}}}}
WIDE = {"model": {"student": {"backbone": {"widths": (6, 8, 8)}}}}
CRD = {"model": {"losses": {"crd": {"negatives": 16, "dim": 8}}}}
RUNS: dict[str, dict[str, Any]] = {
    "kd": {"method": "kd", **DROPOUT},
    "crd": {"method": "crd", **CRD},
    "mgd": {"method": "mgd", **WIDE},
    "at": {"method": "at", "custom_hooks": [{"type": "EMAHook", "momentum": 0.1}]},
    "control": {"method": "ce", "train_cfg": {"val_interval": 2}},
}
EPOCHS = 2
SOME = {name: RUNS[name] for name in ("kd", "crd", "at")}


class DrawingLoss(DistillLoss):
    """Draws from Python's generator, from which the digits' shifts are drawn too."""

    def forward(self, student_logits: torch.Tensor) -> torch.Tensor:
        return student_logits.square().mean() * random.random()


class DivergingInOneProcessLoss(DistillLoss):
    """NaN in the first process from the second epoch on; in the others a step later."""

    def forward(self, student_logits: torch.Tensor, epoch: int) -> torch.Tensor:
        broken = epoch > 0 and get_rank() == 0
        return student_logits.square().mean() * (float("nan") if broken else 0.0)


class DivergingLoss(DistillLoss):
    """NaN from the second epoch on."""

    def forward(self, student_logits: torch.Tensor, epoch: int) -> torch.Tensor:
        return student_logits.square().mean() * (float("nan") if epoch else 0.0)


def planned(
    teacher: Path, folder: Path, specs: dict[str, dict[str, Any]], **options: Any
) -> list[Run]:
    epochs = options.pop("epochs", EPOCHS)
    cfg = tiny_runs.config(teacher, epochs=epochs, **copy.deepcopy(options))
    entries = []
    for name, spec in specs.items():
        spec = dict(spec)
        method = spec.pop("method", "kd")
        losses = tiny_runs.load_config(tiny_runs.PAIR, method=method).model.losses.to_dict()
        model = dict(spec.pop("model", {}))
        losses = {
            key: {**loss, **model.get("losses", {}).get(key, {})} for key, loss in losses.items()
        }
        losses |= {key: loss for key, loss in model.get("losses", {}).items() if key not in losses}
        model["losses"] = {"_delete_": True, **losses}
        if method == "ce":
            model["teacher"] = None
        entries.append({"name": name, "model": model, **spec})
    cfg.runs = entries
    return plan(cfg, folder)


def together(runs: list[Run], **options: Any) -> None:
    train_runs(runs, executor=CohortExecutor(), **options)


def same(alone: Path, joined: Path, names: Any) -> None:
    for name in names:
        states = (tiny_runs.state(folder / name) for folder in (alone, joined))
        assert not tiny_runs.different(*states), name
        configs = ((folder / name / "config.py").read_text() for folder in (alone, joined))
        assert len(set(configs)) == 1


def files(folder: Path) -> list[str]:
    """The names of a run's files; the time stands for when it was started."""
    names = (str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    return sorted(re.sub(r"\d{8}_\d{6}", "TIME", name) for name in names)


def log(folder: Path) -> list[str]:
    """The log from training on, without times, folders and what is said once in a process."""
    (file,) = folder.glob("*/*.log")
    text = file.read_text().replace(str(folder), "FOLDER")
    text = re.sub(r"(\d\d/\d\d |\d{8}_)[\d:]+|(eta|data_time|time): *[\d:.]+", "TIME", text)
    text = re.sub(r"_\d+_TIME", "", text)  # the number of the run in this process
    lines = text[text.index("Run ") :].splitlines()
    return [line for line in lines if "WARNING" not in line]


@pytest.fixture(scope="module")
def alone(digits_teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each of the runs, trained alone."""
    folder = tmp_path_factory.mktemp("alone")
    train_runs(planned(digits_teacher, folder, RUNS))
    return folder


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Lengths of the batches that teachers see in training."""
    seen: list[int] = []
    forward = Teacher.forward

    def counted(teacher: Teacher, batch: Any) -> Any:
        seen.append(len(batch.inputs))
        return forward(teacher, batch)

    monkeypatch.setattr(Teacher, "forward", counted)
    return seen


def test_members_end_as_runs_alone_on_one_pass_of_the_teacher(
    digits_teacher: Path,
    alone: Path,
    tmp_path: Path,
    passes: list[int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    runs = planned(digits_teacher, tmp_path, RUNS)
    together(runs)
    same(alone, tmp_path, RUNS)
    assert len(passes) == EPOCHS * STEPS
    assert "kd, crd, mgd, at, control (seed 0): together." in capsys.readouterr().err
    assert [run.result()["digest"] for run in runs] == [run.digest() for run in runs]
    assert all(0 < run.result()["wall_seconds"] < 60 for run in runs)
    for name in RUNS:
        assert files(tmp_path / name) == files(alone / name)
        assert log(tmp_path / name) == log(alone / name)


def train_and_die(teacher: Path, folder: Path, validations: int) -> None:
    in_validation(validations)
    together(planned(teacher, folder, SOME))


def test_a_killed_cohort_goes_on(digits_teacher: Path, alone: Path, tmp_path: Path) -> None:
    """When two of three members have saved their second checkpoint."""
    died = tiny_runs.in_child(train_and_die, digits_teacher, tmp_path, len(SOME) + 1)
    assert died == -signal.SIGKILL
    runs = planned(digits_teacher, tmp_path, SOME)
    assert [last_step(run) for run in runs] == [2, 2, 1]
    train_runs(runs[:1], resume=True)  # a member of it alone
    together(runs, resume=True)
    same(alone, tmp_path, SOME)


def test_a_member_that_diverges_leaves_the_others_untouched(
    digits_teacher: Path, alone: Path, tmp_path: Path
) -> None:
    nan = {"model": {"losses": {"nan": {"type": DivergingLoss}}}}
    early_stopping = {"type": "EarlyStoppingHook", "monitor": "accuracy/top1"}
    stopped = {"custom_hooks": [{**early_stopping, "stopping_threshold": 0.0}]}
    specs = {"nan": nan, "kd": RUNS["kd"], "stopped": stopped, "crd": RUNS["crd"]}
    events: list[RunEvent] = []
    runs = planned(digits_teacher, tmp_path, specs)
    with pytest.raises(DivergedError, match="became nan at step 6"):
        together(runs, on_event=events.append)
    same(alone, tmp_path, ["kd", "crd"])
    assert [event.name for event in events if isinstance(event, RunFailed)] == ["nan"]
    assert runs[0].result() is None
    assert runs[2].result()["epochs"] == 1


def test_a_member_whose_draws_decide_about_its_batches_is_trained_alone(
    digits_teacher: Path, alone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    specs = {"kd": RUNS["kd"], "draws": {"model": {"losses": {"x": {"type": DrawingLoss}}}}}
    train_runs(planned(digits_teacher, tmp_path / "alone", {"draws": specs["draws"]}))
    together(planned(digits_teacher, tmp_path / "joined", specs))
    same(alone, tmp_path / "joined", ["kd"])
    same(tmp_path / "alone", tmp_path / "joined", ["draws"])
    reason = "its steps draw from Python's random generator, and so do the data"
    assert f"draws (seed 0) is trained alone: {reason}." in capsys.readouterr().err
    assert len([path for path in (tmp_path / "joined" / "draws").iterdir() if path.is_dir()]) == 1


def test_ctrl_c_stops_all_members(digits_teacher: Path, alone: Path, tmp_path: Path) -> None:
    def interrupt(event: RunEvent) -> None:
        if type(event).__name__ == "EpochFinished" and event.name == "crd":
            raise KeyboardInterrupt

    specs = {name: RUNS[name] for name in ("kd", "crd")}
    events: list[RunEvent] = []
    with pytest.raises(KeyboardInterrupt):
        together(
            planned(digits_teacher, tmp_path, specs),
            on_event=lambda event: (events.append(event), interrupt(event)),
        )
    failed = [event for event in events if isinstance(event, RunFailed)]
    assert {(event.name, event.error) for event in failed} == {
        ("kd", "KeyboardInterrupt: "),
        ("crd", "KeyboardInterrupt: "),
    }
    together(planned(digits_teacher, tmp_path, specs), resume=True)
    same(alone, tmp_path, specs)


def train_with_a_signal(teacher: Path, folder: Path) -> None:
    count = iter(range(2 * len(SOME) + 1))

    def step(original: Callable[..., Any], *args: Any, **options: Any) -> Any:
        if next(count, None) is None:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(*args, **options)

    patched(Distiller, "train_step", step)
    with pytest.raises(PreemptedError):
        together(planned(teacher, folder, SOME))


def test_a_signal_ends_all_members_after_the_same_step(
    digits_teacher: Path, alone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It comes while the second of three members trains, in the third step."""
    assert tiny_runs.in_child(train_with_a_signal, digits_teacher, tmp_path) == 0
    metas = [tiny_runs.last(tmp_path / name)["meta"] for name in SOME]
    assert [meta["iter"] for meta in metas] == [4, 4, 4]
    together(planned(digits_teacher, tmp_path, SOME), resume=True)
    assert "kd, crd, at (seed 0): together." in capsys.readouterr().err
    same(alone, tmp_path, SOME)


ITERATIONS = dict(
    train_cfg={"_delete_": True, "by_epoch": False, "max_iters": 8, "val_interval": 4},
    train_dataloader__sampler=dict(type="InfiniteSampler", shuffle=True),
    param_scheduler=[],
    log_processor=dict(by_epoch=False),
    default_hooks__checkpoint__by_epoch=False,
    default_hooks__checkpoint__interval=4,
)


def test_trainings_that_count_iterations(digits_teacher: Path, tmp_path: Path) -> None:
    specs = {"kd": RUNS["kd"], "mgd": {"method": "mgd"}}
    train_runs(planned(digits_teacher, tmp_path / "alone", specs, **ITERATIONS))
    together(planned(digits_teacher, tmp_path / "joined", specs, **ITERATIONS))
    same(tmp_path / "alone", tmp_path / "joined", specs)
    for folder in (tmp_path / "alone", tmp_path / "joined"):
        for name in specs:
            (folder / name / "result.json").unlink()
            (folder / name / "iter_8.pth").unlink()
            (folder / name / "last_checkpoint").write_text("iter_4.pth")
    # Alone too a resumed training goes on with other draws here.
    train_runs(planned(digits_teacher, tmp_path / "alone", specs, **ITERATIONS), resume=True)
    together(planned(digits_teacher, tmp_path / "joined", specs, **ITERATIONS), resume=True)
    same(tmp_path / "alone", tmp_path / "joined", specs)


IN_TWO = {name: RUNS[name] for name in ("kd", "mgd", "control")}


def train_in_two(teacher: Path, folder: Path, joined: bool) -> None:
    nan = {"model": {"losses": {"nan": {"type": DivergingInOneProcessLoss}}}}
    specs = {"nan": nan, **IN_TWO} if joined else IN_TWO
    runs = planned(teacher, folder, specs, train_dataloader__batch_size=10)
    if not joined:
        train_runs(runs, launcher="pytorch")
        return
    with pytest.raises(DivergedError, match="became nan at step 6"):
        together(runs, launcher="pytorch")


@pytest.mark.ddp
def test_two_processes(digits_teacher: Path, tmp_path: Path) -> None:
    for joined in (False, True):
        folder = tmp_path / str(joined)
        assert in_two(train_in_two, digits_teacher, folder, joined) == [0, 0]
    same(tmp_path / "False", tmp_path / "True", IN_TWO)


def test_a_shared_call_repeats_its_draws() -> None:
    generators = Generators()
    call = SharedCall(generators, lambda: (random.random(), torch.rand(3)))
    states = generators.get()
    first, following = call(), random.random()
    generators.get()
    generators.set(states)
    assert call() is first
    assert random.random() == following
