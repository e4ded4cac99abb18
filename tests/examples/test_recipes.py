"""The configs of docs/recipes.md train as they are printed, on a few images."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from cls_kd.distillers.checkpoints import read_checkpoint
from cls_kd.engine import load_config, plan, train_runs
from cls_kd.engine.train import build_parts
from cls_kd.engine.visual_backends import check_backends
from cls_kd.errors import UserError

PAGE = (Path(__file__).parents[2] / "docs/recipes.md").read_text()
RECIPES = dict(re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```$", PAGE, re.M | re.S))
PACKAGES = {"weights_and_biases": "wandb", "ml_flow": "mlflow"}
EPOCHS = {"swa": 16, "early_stopping": 20, "steps": 12}
"""Epochs of the recipes that need more than four."""
TRAINED = [name for name in RECIPES if name not in PACKAGES]


def printed(name: str, folder: Path) -> Config:
    """The student's run of a recipe: one step an epoch, and a teacher that was not trained."""
    path = folder / f"{name}.py"
    path.write_text(RECIPES[name])
    run = plan(load_config(path, method="kd"), folder)[-1]
    run.cfg.merge_from_dict(
        {
            "train_dataloader.dataset.times": 1,
            "val_dataloader.dataset.indices": 30,
            "test_dataloader.dataset.indices": 30,
            "model.teacher.weights": "random",
            "console_log_level": "ERROR",
        }
    )
    if "max_epochs" not in run.cfg.train_cfg:
        run.cfg.train_dataloader.batch_size = 10
        return run.cfg
    run.cfg.train_dataloader.batch_size = 100
    run.cfg.train_cfg.update(
        max_epochs=EPOCHS.get(name, 4), val_interval=3 if name == "steps" else 1
    )
    run.cfg.default_hooks.checkpoint.interval = 2
    return run.cfg


def train(cfg: Config, place: Path, resume: bool = False) -> dict[str, Any]:
    train_runs(plan(cfg, place), resume=resume)
    return json.loads((place / "result.json").read_text())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Work dir and result of a recipe, trained once."""
    done: dict[str, tuple[Path, dict[str, Any]]] = {}

    def get(name: str) -> tuple[Path, dict[str, Any]]:
        if name not in done:
            folder = tmp_path_factory.mktemp(name)
            cfg = printed(name, folder)
            done[name] = folder / "run", train(cfg, folder / "run")
        return done[name]

    return get


@pytest.mark.parametrize("name", TRAINED)
def test_a_recipe_trains(name: str, finished: Any) -> None:
    place, result = finished(name)
    assert (place / result["checkpoint"]).is_file()
    assert 0 < result["train"][-1]["loss"] < float("inf")
    assert len(result["val"]) >= 1


def test_frozen_weights_stay(finished: Any) -> None:
    place, _ = finished("freeze")
    first, last = (
        read_checkpoint(place / name)["state_dict"] for name in ("epoch_2.pth", "epoch_4.pth")
    )
    frozen = [name for name in first if name.startswith("student.backbone.stage1")]
    assert frozen
    assert all(torch.equal(first[name], last[name]) for name in frozen)
    assert any(not torch.equal(first[name], last[name]) for name in first)


def test_early_stopping_stops_early(finished: Any) -> None:
    _, result = finished("early_stopping")
    assert result["epochs"] < 20
    assert result["checkpoint"] == f"epoch_{result['epochs']}.pth"


def test_the_best_checkpoint_is_kept(finished: Any) -> None:
    place, result = finished("best")
    (best,) = place.glob("best_*.pth")
    epoch = max(result["val"], key=lambda entry: entry["accuracy/top1"])["epoch"]
    assert best.name == f"best_accuracy_top1_epoch_{epoch}.pth"


def test_iterations_are_counted_throughout(finished: Any) -> None:
    place, result = finished("iterations")
    assert result["checkpoint"] == "iter_200.pth"
    assert result["iterations"] == 200
    assert [entry["iter"] for entry in result["val"]] == [50, 100, 150, 200]
    assert [entry["iter"] for entry in result["train"]] == [50, 100, 150, 200]
    assert not list(place.glob("epoch_*"))
    logs = "".join(file.read_text() for file in place.rglob("*.log"))
    assert "Iter(val)" in logs
    assert "Epoch(" not in logs
    rates = read_checkpoint(place / "iter_200.pth")["message_hub"]["log_scalars"]["train/lr"]
    cosine = 0.1 * (1 + torch.cos(torch.arange(200, dtype=torch.float64) * torch.pi / 200))
    assert torch.allclose(torch.tensor(rates.data[0]), cosine)


def test_events_are_written_for_tensorboard(finished: Any) -> None:
    place, _ = finished("tensorboard")
    assert list(place.rglob("events.out.tfevents*"))


def test_an_extended_run_is_one_planned_so(finished: Any, tmp_path: Path) -> None:
    """With a milestone beyond its first length."""
    place, result = finished("steps")
    assert result["epochs"] == 12
    cfg = printed("steps", tmp_path)
    cfg.train_cfg.max_epochs = 27
    extended, whole = train(cfg, place, resume=True), train(cfg, tmp_path / "whole")
    assert [entry["epoch"] for entry in extended["train"]] == list(range(1, 28))
    for key in ("train", "val", "test", "digest", "checkpoint"):
        assert extended[key] == whole[key]
    one, other = (
        read_checkpoint(folder / "epoch_27.pth") for folder in (place, tmp_path / "whole")
    )
    for key, value in one["state_dict"].items():
        assert torch.equal(value, other["state_dict"][key])
    assert one["optimizer"]["param_groups"] == other["optimizer"]["param_groups"]
    assert float(one["optimizer"]["param_groups"][0]["lr"]) == pytest.approx(0.002)


@pytest.mark.parametrize("name", PACKAGES)
def test_loggers_are_asked_for_their_package_first(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = PACKAGES[name]
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "cls_kd.engine.visual_backends.find_spec",
        lambda module: None if module == package else found(module),
    )
    cfg = printed(name, tmp_path)
    with pytest.raises(UserError, match=f"VisBackend.* needs .* pip install {package}"):
        build_parts(plan(cfg, tmp_path / "run")[0].resolved())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("backends", "refusal"),
    [
        ("[dict(type='TensorboardVisBackend')]", 'must be a list of backends, not "\\[dict'),
        (["TensorboardVisBackend"], r"vis_backends\[0\] must be dict\(type=...\), not 'Tens"),
    ],
)
def test_backends_of_another_form_are_refused(backends: object, refusal: str) -> None:
    with pytest.raises(UserError, match=refusal):
        check_backends(Config(dict(visualizer=dict(vis_backends=backends))))


@pytest.mark.parametrize("name", PACKAGES)
def test_loggers_record_offline(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(PACKAGES[name])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    cfg = printed(name, tmp_path)
    cfg.train_cfg.max_epochs = 1
    train(cfg, tmp_path / "run")
    assert [path for path in (tmp_path / "run").rglob("*") if package_file(path)]


def package_file(path: Path) -> bool:
    return path.suffix == ".wandb" or path.name == "meta.yaml"
