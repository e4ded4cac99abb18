"""The test figure of a result is that of the checkpoint that the result names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import nn

from cls_kd.distillers.checkpoints import read_checkpoint
from cls_kd.distillers.weights import load_weights
from cls_kd.engine import train
from cls_kd.engine.environment import environment
from cls_kd.engine.evaluate import evaluate_student
from cls_kd.engine.export import read_student
from tests.distillers import tiny
from tests.engine import tiny_runs

EPOCHS = 3
EMA = dict(type="EMAHook", momentum=0.02)
SWA = dict(type="EMAHook", ema_type="StochasticWeightAverage", begin_epoch=2)
BUFFERS = dict(type="EMAHook", momentum=0.02, update_buffers=True)
PRECISE = dict(type="mmpretrain.engine.PreciseBNHook", num_samples=40)
STOP = dict(type="EarlyStoppingHook", monitor="accuracy/top1", min_delta=200.0, patience=1)
CASES: dict[str, dict[str, Any]] = {
    "plain": {"default_hooks.checkpoint.interval": -1},
    "ema": {"custom_hooks": [EMA]},
    "swa": {"custom_hooks": [SWA]},
    "statistics": {"custom_hooks": [BUFFERS, PRECISE]},
    "early stopping": {"custom_hooks": [EMA, STOP], "default_hooks.checkpoint.interval": 3},
    "best checkpoint": {
        "default_hooks.checkpoint": dict(
            _delete_=True, type="mmengine.hooks.CheckpointHook", interval=3, save_best="auto"
        )
    },
}


def config(teacher: Path | None = None, **options: Any) -> Config:
    """Validated on 200 images, so that two networks rarely share a figure."""
    cfg = tiny_runs.config(teacher, method=None, epochs=EPOCHS)
    cfg.model["losses"] = dict(ce=dict(type="TaskLoss"))
    images = {f"{split}_dataloader.dataset.indices": 200 for split in ("val", "test")}
    cfg.merge_from_dict({**images, **options})
    return cfg


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Work dir and config of a finished run, trained once for each case."""
    done: dict[str, tuple[Path, Config]] = {}

    def get(case: str) -> tuple[Path, Config]:
        if case not in done:
            place = tmp_path_factory.mktemp("tested") / "run"
            cfg = config(**CASES[case])
            train(tiny_runs.single(cfg, place))
            done[case] = place, cfg
        return done[case]

    return get


@pytest.mark.parametrize("case", CASES)
def test_the_result_names_the_checkpoint_that_was_tested(case: str, finished: Any) -> None:
    place, cfg = finished(case)
    result = json.loads((place / "result.json").read_text())
    assert (place / result["checkpoint"]).is_file()
    assert (place / "last_checkpoint").read_text().endswith(result["checkpoint"])
    for split, figures in (("test", result["test"]), ("val", result["val"][-1])):
        measured = evaluate_student(cfg, str(place / result["checkpoint"]), split).metrics
        assert measured["accuracy/top1"] == pytest.approx(figures["accuracy/top1"], abs=1e-4)


@pytest.mark.parametrize("case", ["ema", "swa"])
def test_all_who_load_a_checkpoint_get_the_average(case: str, finished: Any) -> None:
    """A teacher, a student that starts from it, the export."""
    place, cfg = finished(case)
    checkpoint = str(place / "epoch_3.pth")
    network = tiny.build(cfg.model.student)
    load_weights(network, checkpoint)
    assert same(network, read_student(cfg, checkpoint).network)
    trained = read_checkpoint(checkpoint)
    average, raw = trained["state_dict"], trained["ema_state_dict"]
    assert any(not torch.equal(average[key], raw[f"module.{key}"]) for key in average)


def same(network: nn.Module, other: nn.Module) -> bool:
    values = other.state_dict()
    return all(torch.equal(value, values[key]) for key, value in network.state_dict().items())


def test_early_stopping_saves_where_it_stops(finished: Any) -> None:
    place, _ = finished("early stopping")
    result = json.loads((place / "result.json").read_text())
    assert result["checkpoint"] == "epoch_2.pth"
    assert result["epochs"] == 2
    assert result["environment"] == environment()
    assert tiny_runs.last(place)["meta"]["epoch"] == 2
    assert [entry["epoch"] for entry in result["val"]] == [1, 2]


def test_early_stopping_goes_on_after_a_kill(finished: Any, tmp_path: Path) -> None:
    """Its count of validations without a gain is made again from the history."""
    place, cfg = finished("early stopping")
    cfg = Config({**cfg.to_dict(), "default_hooks": {**cfg.default_hooks.to_dict()}})
    cfg.default_hooks.checkpoint.interval = 1
    run = tiny_runs.single(cfg, tmp_path / "run")
    assert tiny_runs.in_child(stopped_before_the_result, cfg, tmp_path / "run") == 1
    assert not (tmp_path / "run" / "result.json").exists()
    result = train(run, resume=True)
    whole = json.loads((place / "result.json").read_text())
    assert result["epochs"] == 2
    assert result["val"] == whole["val"]
    assert result["test"] == whole["test"]


def stopped_before_the_result(cfg: Config, work_dir: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cls_kd.engine.train.mark_finished", None)
        train(tiny_runs.single(cfg, work_dir))
