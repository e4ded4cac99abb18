"""What is searched, on which images, which trials are given up, and runs that stop early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
from mmengine.config import Config

from cls_kd.data import synthetic
from cls_kd.engine import Run, load_config
from cls_kd.engine.attempt import Outcome, attempt
from cls_kd.engine.choosing.partial_run import AttemptUntil, score_at
from cls_kd.engine.event_log import logged_events
from cls_kd.engine.loaders import build_loader, innermost
from cls_kd.engine.tuning.pruning import EpochPruner, first_rung, interval_of
from cls_kd.engine.tuning.space import as_changes, options_of
from cls_kd.engine.tuning.study import begin, counted, distributions, open_study
from cls_kd.engine.tuning.trials import may_start
from cls_kd.engine.tuning.tuning import Request
from cls_kd.engine.tuning.validation import chosen_metric, for_selection, validates_on_test
from cls_kd.errors import UserError
from cls_kd.losses.search import TEMPERATURE, Range
from cls_kd.runs import plan
from tests.engine import tiny_runs

CE = {"type": "TaskLoss", "weight": 0.1}
KD = {"type": "KDLoss", "temperature": 40.0}


def run_of(config: str, **options: Any) -> Run:
    cfg = load_config(tiny_runs.ROOT / "configs" / f"{config}.py", options=options)
    return plan(cfg, Path("out"))[-1]


def test_options_are_those_of_the_losses_and_the_weights_against_the_task() -> None:
    options = {option.name: option for option in options_of({"ce": CE, "kd": KD})}
    assert set(options) == {"kd.temperature", "kd.weight"}
    assert options["kd.temperature"].space == Range(1.0, 40.0, log=True)
    assert options["kd.temperature"].default == 40.0
    assert options["kd.weight"].space == Range(0.01, 10.0, log=True)


def test_options_of_a_loss_inside_another_are_searched() -> None:
    inside = {"type": "StandardizedLogitsLoss", "loss": {"type": "KDLoss"}, "weight": 9.0}
    options = options_of({"kd": inside})
    assert {option.name: option.default for option in options} == {
        "kd.loss.temperature": 4.0,
        "kd.weight": 9.0,
    }
    setting = {"kd.loss.temperature": 2.0, "kd.weight": 1.0}
    cfg = Config({"model": {"losses": {"kd": inside}}})
    cfg.merge_from_dict(as_changes(options, setting))
    assert cfg.model.losses.kd.loss.temperature == 2.0
    assert cfg.model.losses.kd.weight == 1.0


def test_a_scheduled_weight_stays_and_without_any_option_there_is_nothing_to_tune() -> None:
    scheduled = {"type": "SPLoss", "weight": {"type": "LinearWarmup", "end": 0.1}}
    for losses in ({"ce": CE}, {"ce": CE, "sp": scheduled}):
        with pytest.raises(UserError, match="nothing to tune"):
            options_of(losses)


@pytest.mark.parametrize(
    ("trials", "budget", "jobs", "spent", "expected"),
    [
        (1, None, 1, [], True),
        (3, None, 1, [9.0, 9.0], True),
        (2, None, 1, [9.0, 9.0], False),
        (None, 90.0, 1, [9.0], True),  # 9 spent, 9 for the trial, 6 runs of 9 / 1 seed
        (None, 71.0, 1, [9.0], False),
        (None, 36.0, 2, [9.0], True),
        (None, 1.0, 1, [], True),  # the default is always tried
    ],
)
def test_a_trial_starts_where_it_and_the_test_fit(
    trials: int | None, budget: float | None, jobs: int, spent: list[float], expected: bool
) -> None:
    request = Request("digits/pair", "kd", Path("out"), (0,), trials, budget, jobs)
    assert request.test_seeds == (1, 2, 3)
    assert may_start(request, spent) is expected


def test_the_images_of_the_test_split_are_not_validated_on() -> None:
    digits, cifar = run_of("digits/pair"), run_of("pairs/cifar100/vgg13_vgg8")
    assert not validates_on_test(digits)
    assert validates_on_test(cifar)
    for run in (digits, cifar):
        changed = for_selection(run)
        assert changed.cfg.test_dataloader is None
        assert run.cfg.test_dataloader is not None
    assert changed.cfg.train_dataloader.dataset.part == "rest"
    assert changed.cfg.val_dataloader.dataset.part == "held_out"
    assert changed.cfg.val_dataloader.dataset.dataset.split == "train"
    assert changed.cfg.val_dataloader.dataset.dataset.test_mode
    digits.cfg.val_dataloader = None
    with pytest.raises(UserError, match="no val_dataloader"):
        validates_on_test(digits)


def test_held_out_images_reach_the_loaders(tmp_path: Path) -> None:
    synthetic.write_cifar10(tmp_path, train=400, test=20, seed=3)
    data = {"data_root": str(tmp_path), "checksum": False}
    run = run_of("pairs/cifar100/vgg13_vgg8")
    for loader in (run.cfg.train_dataloader, run.cfg.val_dataloader, run.cfg.test_dataloader):
        loader.dataset.update({"type": "CIFAR10", **data})
    cfg = for_selection(run).cfg
    training, validation = (
        innermost(build_loader(cfg, key).dataset) for key in ("train_dataloader", "val_dataloader")
    )
    assert len(training) + len(validation) == 400
    assert 30 <= len(validation) <= 40


def test_a_metric_is_chosen_that_has_a_better_direction() -> None:
    assert chosen_metric({"accuracy/top5": 1.0, "accuracy/top1": 1.0}) == "accuracy/top1"
    with pytest.raises(UserError, match="no accuracy"):
        chosen_metric({"loss": 1.0})


def test_a_poor_run_is_given_up_at_a_rung_and_a_good_one_is_not() -> None:
    study = optuna.create_study(direction="maximize", study_name="tune")
    train_cfg = {"max_epochs": 9, "val_interval": 1}
    given_up = []
    for number in range(6):
        study.ask()
        pruner = EpochPruner(study, number, train_cfg)
        values = [(epoch, 90.0 - 10.0 * number) for epoch in range(1, 10)]
        given_up.append(
            next((epoch for epoch, value in values if pruner.is_poor(epoch, value)), None)
        )
    assert given_up[0] is None
    assert {epoch for epoch in given_up[1:] if epoch is not None} <= {1, 3}
    assert sum(epoch is not None for epoch in given_up) >= 2
    assert study.trials[1].intermediate_values == {}, "those are one value a seed"


def test_a_setting_is_given_up_where_the_best_one_is_better_with_each_of_four_seeds(
    tmp_path: Path,
) -> None:
    study = open_study(tmp_path)
    best, poor = study.ask(), study.ask()
    given_up = []
    for seed in range(5):
        best.report(90.0 + seed, step=seed)
    study.tell(best, 92.0)
    for seed in range(5):
        poor.report(80.0 + seed / 2, step=seed)
        given_up.append(poor.should_prune())
    assert given_up == [False, False, False, True, True]


def test_rungs_follow_the_length_and_the_interval_of_validations() -> None:
    assert [first_rung(length, 1) for length in (1, 4, 20, 240)] == [1, 1, 2, 26]
    assert first_rung(240, 40) == 40
    assert interval_of({"max_iters": 400, "type": "IterBasedTrainLoop"}) == 1000


def test_a_trial_that_was_cut_off_is_tried_again_and_the_default_comes_first(
    tmp_path: Path,
) -> None:
    options = options_of({"ce": CE, "kd": KD})
    default = {option.name: option.default for option in options}
    study = open_study(tmp_path)
    begin(study, default)
    first = study.ask(distributions(options))
    assert first.params == default
    study.tell(first, 90.0)
    cut_off = study.ask(distributions(options)).params
    again = open_study(tmp_path, worker=1, several=True)
    begin(again, default)
    assert again.ask(distributions(options)).params == cut_off
    assert [trial.state.name for trial in counted(again)] == ["COMPLETE", "RUNNING"]
    assert TEMPERATURE.low <= cut_off["kd.temperature"] <= 40.0


def test_a_run_that_was_stopped_ends_like_one_that_was_not(tmp_path: Path) -> None:
    def single(name: str) -> Run:
        return tiny_runs.single(tiny_runs.config(None, method="ce"), tmp_path / name)

    stopped, whole = single("stopped"), single("whole")
    assert AttemptUntil(1)(stopped) is Outcome.STOPPED
    assert stopped.result() is None
    assert logged_events(stopped.work_dir)[-1]["event"] == "RunInterrupted"
    at_first = score_at(stopped, 1)
    assert at_first is not None
    assert score_at(stopped, 2) is None
    assert AttemptUntil(2)(stopped) is Outcome.FINISHED
    assert attempt(whole) is Outcome.FINISHED
    assert (
        tiny_runs.different(tiny_runs.state(stopped.work_dir), tiny_runs.state(whole.work_dir))
        == []
    )
    assert score_at(stopped, 1) == at_first
