"""A list of runs: names, seeds, references; what is finished is not run again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from cls_kd.engine import check_unchanged, load_config, plan, train_runs
from cls_kd.errors import UserError
from cls_kd.runs import CONFIG, mark_finished, mark_started
from tests.engine.tiny_runs import PAIR, TRAIN


def config(*runs: dict[str, Any], **more: Any) -> Config:
    base = dict(randomness=dict(seed=5), model=dict(a=1, losses=dict(ce=dict(type="TaskLoss"))))
    return Config({**base, "runs": list(runs), **more})


def run_of(place: Path, **more: Any) -> Any:
    return plan(Config(dict(randomness=dict(seed=0), **more)), place)[0]


# --- the plan ---


def test_without_a_list_there_is_one_run(tmp_path: Path) -> None:
    run = run_of(tmp_path, x=1)
    assert (run.name, run.seed, run.work_dir, run.depends_on) == ("", 0, tmp_path, {})


def test_a_config_can_be_planned_twice(tmp_path: Path) -> None:
    losses = dict(_delete_=True, kd=dict(type="KDLoss"))
    cfg = config(dict(name="one", model=dict(losses=losses)))
    for _ in range(2):
        (run,) = plan(cfg, tmp_path)
        assert set(run.cfg.model.losses) == {"kd"}


def test_each_run_is_merged_over_the_rest(tmp_path: Path) -> None:
    first, second = plan(
        config(dict(name="one", model=dict(b=2)), dict(name="two", lr=3), lr=1), tmp_path
    )
    assert first.cfg.model.b == 2
    assert (first.cfg.model.a, first.cfg.lr) == (1, 1)
    assert "b" not in second.cfg.model
    assert second.cfg.lr == 3
    assert "runs" not in first.cfg
    assert first.work_dir == tmp_path / "one"


def test_a_run_per_seed(tmp_path: Path) -> None:
    runs = plan(config(dict(name="kd", seeds=[3, 4]), dict(name="other")), tmp_path)
    assert [(run.seed, run.cfg.randomness.seed) for run in runs] == [(3, 3), (4, 4), (5, 5)]
    assert [run.work_dir for run in runs] == [
        tmp_path / "kd" / "seed_3",
        tmp_path / "kd" / "seed_4",
        tmp_path / "other",
    ]
    assert len({run.digest() for run in runs}) == 3


def test_a_reference_goes_to_the_same_seed_or_to_the_only_one(tmp_path: Path) -> None:
    teacher = dict(name="teacher")
    assistant = dict(name="assistant", seeds=[0, 1], model=dict(teacher="run:teacher"))
    student = dict(name="student", seeds=[1, 0], model=dict(teacher=dict(w="run:assistant")))
    runs = plan(config(teacher, assistant, student), tmp_path)
    assert [run.title for run in runs[1].depends_on.values()] == ["teacher (seed 5)"]
    pairs = {
        run.seed: run.depends_on["run:assistant"].seed for run in runs if run.name == "student"
    }
    assert pairs == {0: 0, 1: 1}


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([dict(name="a"), dict(name="a")], "Two runs are named 'a'"),
        ([dict(name="teachr"), dict(name="b", w="run:teacher")], "'run:teacher'.*'teachr'"),
        ([dict(name="a", w="run:b"), dict(name="b")], "no earlier run"),
        ([dict(name="a", w="run:a")], "no earlier run"),
        (
            [dict(name="a", seeds=[0, 1]), dict(name="b", seeds=[2], w="run:a")],
            "'run:a' has the seeds 0, 1, and none is 2",
        ),
    ],
)
def test_a_plan_that_cannot_be_is_refused(
    runs: list[dict[str, Any]], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        plan(config(*runs), tmp_path)


def test_references_resolve_to_checkpoints(tmp_path: Path) -> None:
    student = dict(name="b", model=dict(teacher=dict(weights="run:a"), more=["run:a", "x"]))
    first, second = plan(config(dict(name="a"), student), tmp_path)
    with pytest.raises(UserError, match=r"a \(seed 5\) has no checkpoint"):
        second.resolved()
    first.work_dir.mkdir()
    # As written in another place: a folder of runs may be moved.
    (first.work_dir / "last_checkpoint").write_text("/elsewhere/a/epoch_3.pth\n")
    resolved = second.resolved()
    expected = str(tmp_path / "a" / "epoch_3.pth")
    assert resolved.model.teacher.weights == expected
    assert resolved.model.more == [expected, "x"]
    assert second.cfg.model.teacher.weights == "run:a"
    assert resolved.work_dir == str(tmp_path / "b")


def test_the_digest_follows_what_a_run_builds_on(tmp_path: Path) -> None:
    def digests(lr: float) -> list[str]:
        runs = [
            dict(name="a", optim_wrapper=lr),
            dict(name="b", load_from="run:a"),
            dict(name="c", load_from="run:b"),
        ]
        return [run.digest() for run in plan(config(*runs, dict(name="d")), tmp_path)]

    before, after = digests(0.1), digests(0.2)
    assert [one == other for one, other in zip(before, after, strict=True)] == [False] * 3 + [True]


def test_the_digest_does_not_see_where_a_run_writes(tmp_path: Path) -> None:
    one = run_of(tmp_path / "one", work_dir="x", launcher="none", console_log_level="INFO")
    assert one.digest() == run_of(tmp_path / "two", work_dir="y").digest()


# --- what was done before ---


def test_a_finished_run_is_known(tmp_path: Path) -> None:
    run = run_of(tmp_path, optim_wrapper=1)
    assert not check_unchanged(run)
    mark_started(run, resume=False)
    assert not check_unchanged(run)
    (tmp_path / "last_checkpoint").write_text("epoch_1.pth")
    assert not check_unchanged(run)
    mark_finished(run, {"val": []})
    assert check_unchanged(run)
    assert run.result()["digest"] == run.digest()
    assert json.loads((tmp_path / "result.json").read_text())["seed"] == 0


@pytest.mark.parametrize("finished", [False, True])
def test_another_config_is_refused_with_the_difference(finished: bool, tmp_path: Path) -> None:
    before = run_of(tmp_path, optim_wrapper=1, train_cfg=3)
    mark_started(before, resume=False)
    (tmp_path / "last_checkpoint").write_text("epoch_1.pth")
    if finished:
        mark_finished(before, {})
    with pytest.raises(UserError) as info:
        check_unchanged(run_of(tmp_path, optim_wrapper=2, train_cfg=3))
    message = str(info.value)
    assert "-optim_wrapper = 1" in message
    assert "+optim_wrapper = 2" in message
    assert "train_cfg" not in message
    assert "--restart" in message


def test_a_change_below_is_refused(tmp_path: Path) -> None:
    def second(lr: float) -> Any:
        return plan(
            config(dict(name="a", optim_wrapper=lr), dict(name="b", load_from="run:a")), tmp_path
        )[1]

    mark_started(second(1), resume=False)
    mark_finished(second(1), {})
    assert check_unchanged(second(1))
    with pytest.raises(UserError, match="builds on has changed"):
        check_unchanged(second(2))


def test_a_damaged_result_is_named(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    (tmp_path / "result.json").write_text("{")
    with pytest.raises(UserError, match=r"result.json is damaged"):
        run.result()


def test_a_restart_forgets_the_earlier_try(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    mark_started(run, resume=False)
    (tmp_path / "last_checkpoint").write_text("epoch_9.pth")
    mark_finished(run, {})
    mark_started(run, resume=True)
    assert (tmp_path / "last_checkpoint").exists()
    mark_started(run, resume=False)
    assert [file.name for file in tmp_path.iterdir()] == [CONFIG]


def test_what_is_written_is_whole(tmp_path: Path) -> None:
    run = run_of(tmp_path, model=1)
    mark_started(run, resume=False)
    mark_finished(run, {"big": list(range(1000))})
    assert {file.name for file in tmp_path.iterdir()} == {CONFIG, "result.json"}
    assert Config.fromfile(tmp_path / CONFIG).model == 1


# --- a real list ---


def tiny_list(epochs: int = 2) -> Config:
    cfg = load_config(PAIR, method="kd")
    cfg.merge_from_dict(
        {
            "train_dataloader.dataset": {"_delete_": True, **TRAIN},
            "val_dataloader.dataset.indices": 30,
            "test_dataloader.dataset.indices": 30,
            "train_cfg.max_epochs": epochs,
            "console_log_level": "ERROR",
        }
    )
    cfg.runs.teacher.pop("train_dataloader", None)
    cfg.runs["{method}"]["seeds"] = [0, 1]
    # The second student is taught by the teacher's first epoch.
    cfg.runs.teacher.default_hooks = dict(checkpoint=dict(interval=1))
    by_first = dict(model=dict(teacher=dict(weights="run:teacher@1")))
    cfg.runs.early = dict(**by_first, train_cfg=dict(max_epochs=1))
    return cfg


def times(work_dir: Path) -> dict[str, int]:
    return {
        str(file.relative_to(work_dir)): file.stat().st_mtime_ns
        for file in sorted(work_dir.rglob("*.pth"))
    }


def test_a_list_is_gone_through_and_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import cls_kd.engine.execute as module

    trained, original, stops = [], module.train, {("kd", 1)}

    def train(run: Any, **options: Any) -> Any:
        trained.append((run.name, run.seed, bool(options.get("resume"))))
        if (run.name, run.seed) in stops:
            raise KeyboardInterrupt
        return original(run, **options)

    monkeypatch.setattr(module, "train", train)
    with pytest.raises(KeyboardInterrupt):
        train_runs(plan(tiny_list(), tmp_path))
    assert trained == [("teacher", 0, False), ("kd", 0, False), ("kd", 1, False)]

    before = times(tmp_path)
    stops.clear(), trained.clear(), capsys.readouterr()
    train_runs(plan(tiny_list(), tmp_path), resume=True)
    assert trained == [("kd", 1, True), ("early", 0, True)]
    assert "2 of 4 runs are finished and unchanged" in capsys.readouterr().err
    after = times(tmp_path)
    assert before.items() <= after.items()

    trained.clear()
    train_runs(plan(tiny_list(), tmp_path))
    assert trained == []
    assert times(tmp_path) == after
    result = json.loads((tmp_path / "kd" / "seed_1" / "result.json").read_text())
    teacher = json.loads((tmp_path / "teacher" / "result.json").read_text())
    # What is measured as the teacher is what was trained as the first run.
    assert result["teacher"]["0"] == {
        key: value for key, value in teacher["val"][-1].items() if key != "epoch"
    }

    early = json.loads((tmp_path / "early" / "result.json").read_text())
    (first,) = (value for value in teacher["val"] if value.pop("epoch") == 1)
    assert early["teacher"]["0"] == first

    with pytest.raises(UserError, match="another config"):
        train_runs(plan(tiny_list(epochs=1), tmp_path))
    assert times(tmp_path) == after


def test_what_no_training_reads_is_no_change(tmp_path: Path) -> None:
    """One more seed, or another part that runs share, leaves finished runs finished."""
    runs = [dict(name="kd", seeds=[0])]
    run = plan(config(*runs, seeds=[0], parts=dict(kd=1)), tmp_path)[0]
    mark_started(run, resume=False)
    mark_finished(run, {})
    runs[0]["seeds"] = [0, 1]
    first, second = plan(config(*runs, seeds=[0, 1], parts=dict(kd=2)), tmp_path)
    assert check_unchanged(first)
    assert not check_unchanged(second)
    assert "parts" not in (tmp_path / "kd" / "seed_0" / CONFIG).read_text()
