"""What a config may say of its loop and its hooks, before anything is built or written."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.hooks import CheckpointHook, EMAHook, RuntimeInfoHook
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop

from cls_kd.engine.hook_list import DEFAULTS, check_hooks, complete_hooks
from cls_kd.engine.hooks import BroadcastBuffersHook, SafeCheckpointHook
from cls_kd.engine.loops import check_loop, check_signals, intervals
from cls_kd.engine.train import build_runner
from cls_kd.engine.visual_backends import check_backends
from cls_kd.errors import UserError
from cls_kd.losses import KDLoss, PSKDLoss
from tests.engine import tiny_runs

BY_ITERATIONS = dict(type=IterBasedTrainLoop, max_iters=10, val_interval=4)


def config(**options: Any) -> Config:
    return tiny_runs.config(None, method=None, **options)


# --- loops ---


def test_all_that_counts_epochs_is_named_at_once() -> None:
    cfg = config(custom_hooks=[dict(type=EMAHook, begin_epoch=1)])
    cfg.train_cfg = BY_ITERATIONS
    with pytest.raises(UserError) as caught:
        check_loop(cfg)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("train_cfg counts iterations (max_iters=10)")
    for line, words in zip(
        lines[1:],
        [
            "param_scheduler[0] (CosineAnnealingLR): set by_epoch=False, T_max in iterations, no "
            "convert_to_iter_based",
            "default_hooks.checkpoint: set by_epoch=False, interval in iterations",
            "log_processor: set by_epoch=False",
            "train_dataloader.sampler (DefaultSampler",
            "custom_hooks[0]: set begin_iter in place of begin_epoch",
        ],
        strict=True,
    ):
        assert line.strip().startswith(words)


def test_a_plateau_is_followed_in_either_loop() -> None:
    cfg = config()
    cfg.train_cfg = BY_ITERATIONS
    cfg.param_scheduler = dict(type="ReduceOnPlateauLR", monitor="accuracy/top1", rule="greater")
    with pytest.raises(UserError) as caught:
        check_loop(cfg)
    assert "param_scheduler" not in str(caught.value)


@pytest.mark.parametrize(
    ("train_cfg", "message"),
    [
        (dict(type=EpochBasedTrainLoop, max_iters=5), "has no option 'max_iters'.*'max_epochs'"),
        (dict(type=IterBasedTrainLoop, max_epochs=5), "has no option 'max_epochs'"),
        (dict(type=IterBasedTrainLoop), "IterBasedTrainLoop needs max_iters"),
        (dict(by_epoch=False, val_interval=5), "IterBasedTrainLoop needs max_iters"),
        (dict(type="EpochBasedTrainLop", max_epochs=1), "mean 'EpochBasedTrainLoop'"),
    ],
)
def test_a_loop_of_unknown_options_is_refused(train_cfg: dict[str, Any], message: str) -> None:
    cfg = config()
    cfg.train_cfg = train_cfg
    with pytest.raises(UserError, match=message):
        check_loop(cfg)


def test_a_loss_that_asks_for_the_epoch_needs_epochs() -> None:
    cfg = config()
    check_signals(cfg, {"ps_kd": PSKDLoss()})
    cfg.train_cfg = BY_ITERATIONS
    check_signals(cfg, {"kd": KDLoss()})
    with pytest.raises(UserError, match="The loss 'ps_kd' asks for 'epoch', and train_cfg counts"):
        check_signals(cfg, {"ps_kd": PSKDLoss()})


def test_progress_is_reported_once_per_epoch_or_interval() -> None:
    assert intervals(config(epochs=7).train_cfg) == 7
    assert intervals(BY_ITERATIONS) == 3


# --- hooks ---


@pytest.mark.parametrize("name", ["runtime_info", "checkpoint", "history"])
def test_an_essential_hook_is_not_dropped(name: str) -> None:
    cfg = config()
    cfg.default_hooks[name] = None
    with pytest.raises(UserError, match=f"default_hooks.{name} cannot be None: "):
        check_hooks(cfg)


def test_a_schedule_needs_its_hook() -> None:
    cfg = config()
    cfg.default_hooks.param_scheduler = None
    with pytest.raises(UserError, match="param_scheduler would never take effect"):
        check_hooks(cfg)
    cfg.param_scheduler = None
    check_hooks(cfg)


def test_other_hooks_can_be_dropped_and_the_run_trains(tmp_path: Path) -> None:
    cfg = config(epochs=1)
    dropped = ["timer", "sampler_seed", "logger", "param_scheduler", "epoch_seed", "teacher"]
    dropped += ["broadcast_buffers", "missed_validation"]
    cfg.default_hooks.update(dict.fromkeys(dropped))
    cfg.model.losses = dict(ce=dict(type="TaskLoss"))
    cfg.param_scheduler = None
    cfg.work_dir = str(tmp_path)
    runner = build_runner(cfg)
    kinds = [type(hook) for hook in runner.hooks]
    assert sorted(kind.__name__ for kind in kinds) == sorted(
        DEFAULTS[name]["type"].__name__ for name in DEFAULTS if name not in dropped
    )
    runner.train()
    runner.close()
    assert (tmp_path / "epoch_1.pth").is_file()


def test_an_entry_without_a_type_changes_the_default() -> None:
    hooks = complete_hooks(dict(teacher=dict(evaluate=False), timer=None))
    assert hooks["teacher"] == {**DEFAULTS["teacher"], "evaluate": False}
    assert "timer" not in hooks
    assert list(hooks) == [name for name in DEFAULTS if name != "timer"]
    assert complete_hooks(dict(runtime_info=dict(type=RuntimeInfoHook)))["runtime_info"] == {
        "type": RuntimeInfoHook
    }


def test_mmengines_checkpoint_hook_becomes_the_safe_one() -> None:
    hooks = complete_hooks(dict(checkpoint=dict(type=CheckpointHook, save_best="auto")))
    assert hooks["checkpoint"] == {"type": SafeCheckpointHook, "save_best": "auto"}


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("default_hooks.checkpoint.save_last", False, "save_last must stay True"),
        ("default_hooks.checkpoint.out_dir", "elsewhere", "Use --work-dir"),
        ("custom_hooks", [dict(type="EMAHok")], r"custom_hooks\[0\] \(EMAHok\) cannot be built"),
        ("custom_hooks", [dict(momentum=0.1)], r"custom_hooks\[0\] has no type"),
        (
            "custom_hooks",
            [dict(type="EMAHook", begin_iter=1, begin_epoch=1)],
            r"custom_hooks\[0\] \(EMAHook\) cannot be built: .*should not be both set",
        ),
        (
            "default_hooks.logger.intervall",
            1,
            r"default_hooks.logger \(.*LoggerHook\) cannot be built: .*'intervall'",
        ),
    ],
)
def test_a_hook_that_cannot_be_built_is_refused(option: str, value: Any, message: str) -> None:
    cfg = config()
    cfg.merge_from_dict({option: value})
    with pytest.raises(UserError, match=message):
        check_hooks(cfg)


def test_an_unknown_backend_of_the_visualizer_is_refused() -> None:
    cfg = config()
    cfg.visualizer = dict(type="UniversalVisualizer", vis_backends=[dict(type="WandbBackend")])
    with pytest.raises(UserError, match=r"there is no backend 'WandbBackend'.*'WandbVisBackend'"):
        check_backends(cfg)


# --- several processes ---


def test_averaged_models_share_buffers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr("cls_kd.engine.hooks.buffers.is_distributed", lambda: True)
    monkeypatch.setattr("cls_kd.engine.hooks.buffers.broadcast", sent.append)
    hook = EMAHook()
    hook.ema_model = SimpleNamespace(buffers=lambda: iter(["average"]))
    runner: Any = SimpleNamespace(
        model=SimpleNamespace(buffers=lambda: iter(["raw"])), hooks=[hook, BroadcastBuffersHook()]
    )
    BroadcastBuffersHook().before_val_epoch(runner)
    assert sent == ["raw", "average"]
