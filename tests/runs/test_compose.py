"""Configs are composed of a pair, a method and options of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from cls_kd.engine import load_config
from cls_kd.errors import UserError
from cls_kd.runs.compose import known_methods, read_config
from tests.engine.tiny_runs import PAIR


def test_a_method_replaces_the_losses() -> None:
    plain, dkd = load_config(PAIR), load_config(PAIR, method="dkd")
    assert set(plain.model.losses) == {"ce", "kd"}
    assert set(dkd.model.losses) == {"ce", "dkd"}
    assert dkd.model.losses.dkd.beta == 8.0
    assert dkd.method == "dkd"
    assert dkd.model.student == plain.model.student


def test_an_unknown_method_is_answered_with_near_ones() -> None:
    with pytest.raises(UserError, match=r"no method 'dkdd'.*'dkd'.*srrl"):
        load_config(PAIR, method="dkdd")


def test_methods_beside_the_config_come_first(tmp_path: Path) -> None:
    folder = tmp_path / "project" / "methods"
    folder.mkdir(parents=True)
    (folder / "kd.py").write_text("losses = dict(ce=dict(type='TaskLoss', weight=3.0))")
    (folder / "mine.py").write_text("losses = dict(ce=dict(type='TaskLoss', weight=4.0))")
    (folder / "_shared.py").write_text("")
    path = tmp_path / "project" / "pairs" / "one.py"
    path.parent.mkdir()
    path.write_text("model = dict(losses=dict())\nrandomness = dict(seed=5)")
    known = known_methods(path)
    assert {"kd", "mine", "dkd"} <= set(known)
    assert "_shared" not in known
    assert load_config(path, method="kd").model.losses.ce.weight == 3.0
    assert load_config(path, method="mine").model.losses.ce.weight == 4.0


def test_a_config_without_losses_takes_no_method(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text("train_cfg = dict(max_epochs=1)")
    with pytest.raises(UserError, match=r"no model.losses"):
        load_config(tmp_path / "data.py", method="kd")


def test_options_change_any_key() -> None:
    options = {"train_cfg.max_epochs": 3, "model.losses.dkd.beta": 2.0, "cpu_threads": 2}
    cfg = load_config(PAIR, method="dkd", options=options)
    assert cfg.train_cfg.max_epochs == 3
    assert cfg.model.losses.dkd.beta == 2.0
    assert cfg.cpu_threads == 2


@pytest.mark.parametrize(
    "options", [{"train_cfg.max_epochs.deeper": 1}, {"model": 3}, {"runs.x.name": "y"}]
)
def test_options_that_lead_nowhere_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UserError, match="--cfg-options"):
        load_config(PAIR, options=options)


def test_a_seed_replaces_the_configs_seeds(tmp_path: Path) -> None:
    text = "runs = [dict(name='a', seeds=[0, 1]), dict(name='b')]\nrandomness = dict(seed=4)"
    (tmp_path / "runs.py").write_text(text)
    cfg = load_config(tmp_path / "runs.py", seed=7, deterministic=True)
    assert cfg.randomness.to_dict() == {"seed": 7, "deterministic": True}
    assert cfg.runs[0]["seeds"] == [7]
    assert "seeds" not in cfg.runs[1]
    assert load_config(tmp_path / "runs.py").randomness.seed == 4


def test_there_is_always_a_seed(tmp_path: Path) -> None:
    (tmp_path / "none.py").write_text("model = dict()")
    assert load_config(tmp_path / "none.py").randomness.seed == 0


def test_amp_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    wrapper = load_config(PAIR, amp=True).optim_wrapper
    assert "CPUAmpOptimWrapper" in str(wrapper.type)
    assert wrapper.optimizer == load_config(PAIR).optim_wrapper.optimizer


@pytest.mark.parametrize(("supported", "dtype"), [(True, "bfloat16"), (False, "float16")])
def test_amp_on_a_gpu(supported: bool, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda: supported)
    wrapper = load_config(PAIR, amp=True).optim_wrapper
    assert (wrapper.type, wrapper.dtype) == ("AmpOptimWrapper", dtype)
    options = {"optim_wrapper.dtype": "float16"}
    assert load_config(PAIR, amp=True, options=options).optim_wrapper.dtype == "float16"


def test_a_missing_config_is_answered_with_near_ones() -> None:
    with pytest.raises(UserError, match=r"does not exist.*pair.py"):
        read_config(PAIR.with_name("pairs.py"))


@pytest.mark.parametrize("text", ["model = dict(", "x = nowhere", "x = 1 / 0"])
def test_a_broken_config_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(text)
    with pytest.raises(UserError, match=r"broken.py cannot be read"):
        read_config(tmp_path / "broken.py")


def test_values_are_plain() -> None:
    """Types as dotted names: what is dumped, compared and merged."""

    def leaves(value: object) -> list[object]:
        if isinstance(value, dict):
            return [leaf for item in value.values() for leaf in leaves(item)]
        if isinstance(value, list | tuple):
            return [leaf for item in value for leaf in leaves(item)]
        return [value]

    cfg = load_config(PAIR, method="dkd")
    assert isinstance(cfg, Config)
    allowed = (str, int, float, bool, type(None))
    assert all(isinstance(leaf, allowed) for leaf in leaves(cfg.to_dict()))
