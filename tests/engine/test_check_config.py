"""Keys that nothing reads are refused when a config is read, with the nearest that are known."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from cls_kd.engine import load_config, plan
from cls_kd.engine.config_kinds import KINDS
from cls_kd.errors import UserError
from cls_kd.reporting import make_report
from cls_kd.runs.sections import SECTIONS
from tests.engine.tiny_runs import PAIR, ROOT

CONFIGS = ROOT / "configs"
FILES = sorted(file for file in CONFIGS.rglob("*.py") if "_base_" not in file.parts)
# Of some hundred benchmarks, which are alike, every fifth.
BENCHMARKS = [file for file in FILES if "benchmarks" in file.parts]
SAMPLE = [file for file in FILES if file not in BENCHMARKS] + BENCHMARKS[::5]


def test_the_configs_of_this_project_are_accepted() -> None:
    for file in SAMPLE:
        load_config(file)


WRONG = {
    "model.students": ({}, "model: Distiller has no 'students'. Did you mean 'student'"),
    "model.student.backbone.width": (3, "model.student.backbone: DigitsCNN has no 'width'"),
    "model.student.backbone.frozen_stages": (1, "DigitsCNN has no 'frozen_stages'"),
    "model.student.backbone.type": ("DigitsCNM", "no model 'DigitsCNM'. Did you mean 'DigitsCNN'"),
    "model.losses.kd.temprature": (2, "model.losses.kd: KDLoss has no 'temprature'. Did you mean"),
    "model.teacher.weigths": ("x", "model.teacher has no 'weigths'. Did you mean 'weights'"),
    "data_preprocessor.meen": (0, "BatchPreprocessor has no 'meen'. Did you mean 'mean'"),
    "train_dataloader.batchsize": (3, "train_dataloader has no 'batchsize'. Did you mean 'batch_s"),
    "train_dataloader.sampler.shufle": (True, "DefaultSampler has no 'shufle'. Did you mean"),
    "train_dataloader.dataset.dataset.pipelin": ([], "Digits has no 'pipelin'. Did you mean"),
    "train_dataloader.collate_fn": ({"type": "pseudo_colate"}, "Did you mean 'pseudo_collate'"),
    "val_dataloader.dataset.pipeline.0.key": (1, "val_dataloader.dataset.pipeline.0: PackInputs"),
    "optim_wrapper.optimizer.lrr": (1, "optim_wrapper.optimizer: SGD has no 'lrr'. Did you mean"),
    "optim_wrapper.clip_gradd": ({}, "OptimWrapper has no 'clip_gradd'. Did you mean 'clip_grad'"),
    "optim_wrapper.clip_grad": ({"maxnorm": 1}, "has no 'maxnorm'. Did you mean 'max_norm'"),
    "optim_wrapper.paramwise_cfg": ({"bias_decay": 0}, "Did you mean 'bias_decay_mult'"),
    "optim_wrapper.constructor": ("LearningRateDecay", "there is no constructor 'LearningRateDec"),
    "param_scheduler.0.Tmax": (3, "param_scheduler.0: CosineAnnealingLR has no 'Tmax'. Did you"),
    "train_cfg.epochs": (3, "EpochBasedTrainLoop has no 'epochs'. Did you mean 'max_epochs'"),
    "val_cfg.fp32": (True, "val_cfg: ValLoop has no 'fp32'. Did you mean 'fp16'"),
    "val_evaluator.topkk": (1, "val_evaluator: Accuracy has no 'topkk'. Did you mean 'topk'"),
    "default_hooks.checkpoint.max_keep_ckpt": (3, "no 'max_keep_ckpt'. Did you mean 'max_keep_c"),
    "default_hooks.loger": ({"interval": 3}, "default_hooks.loger says no type"),
    "custom_hooks": ([{"type": "EMAHok"}], "there is no hook 'EMAHok'. Did you mean 'EMAHook'"),
    "visualizer.type": ("UniversalVisualiser", "Did you mean 'UniversalVisualizer'"),
    "visualizer.vis_backends": ([{"type": "TensorBoard"}], "there is no vis_backend 'TensorBoard'"),
    "env_cfg.cudnn_bench": (True, "env_cfg has no 'cudnn_bench'. Did you mean 'cudnn_benchmark'"),
    "env_cfg.mp_cfg": ({"start": "fork"}, "env_cfg.mp_cfg has no 'start'"),
    "randomness.sed": (3, "randomness has no 'sed'. Did you mean 'seed'"),
    "auto_scale_lr": ({"enabled": True}, "auto_scale_lr has no 'enabled'. Did you mean 'enable'"),
    "runs.teacher.epochs": (3, "runs.teacher: a run has no 'epochs'"),
    "runs.teacher.train_cfg": ({"epochs": 3}, "The run 'teacher': train_cfg: EpochBasedTrai"),
    "runs.{method}.train_data": ({"wraper": {}}, "train_data has no 'wraper'. Did you mean 'wrap"),
    "runs.{method}.seeds": ("0,1", "runs.{method}.seeds must be a list of whole numbers, not"),
    "report": ({"titel": "x"}, "report has no 'titel'. Did you mean 'title'"),
    "analyses": ([{"type": "decomposition", "splitt": "val"}], "has no 'splitt'. Did you mean"),
    "val_evaluator": (None, "val_dataloader, val_cfg, val_evaluator belong together"),
}


@pytest.mark.parametrize("key", WRONG)
def test_a_wrong_key_is_refused(key: str) -> None:
    value, words = WRONG[key]
    with pytest.raises(UserError) as refused:
        load_config(PAIR, options={key: value})
    assert words in str(refused.value)


def test_every_section_with_keys_of_its_own_is_checked() -> None:
    plain = {"load_from", "log_level", "default_scope", "experiment_name", "cpu_threads"}
    plain |= {"activation_checkpointing", "efficient_conv_bn_eval", "find_unused_parameters"}
    plain |= {"cuda_graph"}
    assert set(KINDS) >= SECTIONS - plain - {"sync_bn"}


def test_the_keys_of_a_report_are_those_of_the_function() -> None:
    parameters = set(inspect.signature(make_report).parameters) - {"root", "files"}
    assert KINDS["report"].extra == parameters


def config(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "mine.py"
    path.write_text("\n".join([load_config(PAIR).pretty_text, *lines]))
    return path


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("traindataloader = dict(batch_size=3)", "no section 'traindataloader'. Did you mean 'tra"),
        ("optim_wraper = dict(optimizer=dict(lr=3))", "Did you mean 'optim_wrapper'"),
        ("models = dict(student=3)", "Did you mean 'model'"),
        ("device = 'cuda'", "the device is no key of the config"),
        ("resume = True", "--resume"),
        ("runs = []", "runs is empty"),
        ("runs = [dict(model=dict())]", "runs.0 has no name"),
        ("runs = 'teacher'", "runs must be a list"),
        ("runs['{method}']['model'] = 3", "The run 'kd': model is a section, with keys, not 3"),
        ("train_dataloader.pop('sampler')", "train_dataloader lacks 'sampler'"),
        ("model['losses']['kd']['weight'] = dict(type='LinearWarmup', util=1)", "has no 'util'"),
        (
            "model['teacher']['weights'] = dict(source='x', drop=True)",
            "weights has no 'drop'. Known: ",
        ),
        ("train_cfg = dict(max_epochs=3)", "train_cfg says no type"),
        ("train_cfg = dict(by_epoch=True)", "EpochBasedTrainLoop lacks 'max_epochs'"),
        ("model['student'].pop('type')", "model.student says no type"),
        ("default_hooks['logger'] = dict(interval=5)", "default_hooks.logger says no type"),
    ],
)
def test_a_wrong_line_of_a_config_is_refused(line: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        load_config(config(tmp_path, line))
    assert words in str(refused.value)


def test_a_check_leaves_the_config_as_it_is() -> None:
    cfg = load_config(PAIR)
    assert cfg.runs.teacher.model.losses["_delete_"]
    teacher, student = plan(cfg, Path("nowhere"))
    assert set(teacher.cfg.model.losses) == {"ce"}
    assert set(student.cfg.model.losses) == {"ce", "kd"}


@pytest.mark.parametrize(
    "line",
    [
        "seeds = [0, 1]\nruns['{method}']['seeds'] = seeds",
        "train_loader = dict(train_dataloader)\nval_dataloader = train_loader",
        "_traindataloader = dict(batch_size=3)",
        "resume = False\nload_from = None\nlauncher = None",
        "optim_wrapper['type'] = 'AmpOptimWrapper'",
        "optim_wrapper.update(constructor='LearningRateDecayOptimWrapperConstructor')",
        "visualizer = dict(type='UniversalVisualizer')",
        "default_hooks['early_stopping'] = dict(type='EarlyStoppingHook', monitor='x', priority=9)",
        "default_hooks['logger'] = None",
        "train_dataloader['collate_fn'] = dict(type='pseudo_collate')",
        "model['teacher'] = dict(network='timm:resnet18', weights='random')",
    ],
)
def test_what_is_right_is_accepted(line: str, tmp_path: Path) -> None:
    assert isinstance(load_config(config(tmp_path, line)).to_dict(), dict)


def test_a_star_outside_of_read_base_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "stars.py"
    path.write_text(
        "from mmengine.config import read_base\nfrom cls_kd.losses import *\n"
        "with read_base():\n    from .base import *\n"
    )
    (tmp_path / "base.py").write_text("model = dict()\n")
    with pytest.raises(UserError, match=r"line 2: from cls_kd.losses import \*.*one by one"):
        load_config(path)


OPTIONS: dict[str, tuple[Any, str]] = {
    "optim_wraper.optimizer.lr": (3, "no 'optim_wraper'. Did you mean 'optim_wrapper.optimizer.lr"),
    "traindataloader.batch_size": (3, "Did you mean 'train_dataloader.batch_size'"),
    "max_epochs": (3, "Did you mean 'train_cfg.max_epochs'"),
    "lr": (0.1, "Did you mean 'optim_wrapper.optimizer.lr'"),
    "device": ("cuda", "CUDA_VISIBLE_DEVICES"),
    "seed": (3, "--seed N"),
    "resume": (True, "--resume"),
    "new.key": (3, "the config has no 'new'. Known: "),
    "teacher.name": ("x", "a name of the config's own"),
    "runs.kd.seeds": ([0], "there is no run 'kd'"),
    "runs.5.seeds": ([0], "there is no run '5'"),
}


@pytest.mark.parametrize("key", OPTIONS)
def test_an_option_that_nothing_reads_is_refused(key: str) -> None:
    value, words = OPTIONS[key]
    with pytest.raises(UserError) as refused:
        load_config(PAIR, options={key: value})
    assert words in str(refused.value)


def test_an_option_that_every_run_overrides_is_refused(tmp_path: Path) -> None:
    own = "for run in runs.values():\n    run['train_cfg'] = dict(max_epochs=7)\ndel run"
    path = config(tmp_path, own)
    with pytest.raises(UserError, match=r"changes nothing: every run has its own.*teacher: 7"):
        load_config(path, options={"train_cfg.max_epochs": 3})
    # What all have already is no contradiction, nor is an option for each.
    load_config(path, options={"train_cfg.max_epochs": 7})
    each = {f"runs.{name}.train_cfg.max_epochs": 3 for name in ("teacher", "{method}")}
    load_config(path, options={"train_cfg.max_epochs": 3, **each})


def test_an_option_that_some_runs_override_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config(tmp_path, "runs['teacher']['train_cfg'] = dict(max_epochs=7)")
    load_config(path, options={"train_cfg.max_epochs": 3})
    said = capsys.readouterr().err
    assert said.startswith("note: --cfg-options train_cfg.max_epochs=3 does not reach")
    assert "teacher (7)" in said
    load_config(PAIR, options={"model.losses.kd.temperature": 2})
    assert capsys.readouterr().err == ""


def test_a_seed_that_every_run_overrides_is_refused(tmp_path: Path) -> None:
    path = config(tmp_path, "for run in runs.values():\n    run['seeds'] = [0, 1]\ndel run")
    with pytest.raises(UserError, match=r"--seed 5 replaces the seeds of every run"):
        load_config(path, options={"randomness.seed": 5})
