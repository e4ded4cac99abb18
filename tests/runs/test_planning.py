"""Planning stands alone: from a file to a list of runs without PyTorch."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.runner import Runner

from cls_kd import engine, runs
from cls_kd.errors import UserError
from cls_kd.runs.sections import SECTIONS

ROOT = Path(__file__).parents[2]
WITHOUT_TORCH = """
import sys
from pathlib import Path
from cls_kd import runs

for package in ("torch", "mmcv", "mmpretrain", "cls_kd.registry"):
    sys.modules[package] = None  # to import it is an error
options = {"train_cfg.max_epochs": 3}
cfg = runs.load_config("configs/digits/demo.py", options=options)
planned = runs.plan(cfg, runs.default_work_dir("configs/digits/demo.py", None, cfg))
print(len(planned), runs.choose(planned, "kd/seed_3").digest())
print(*(name for name in sys.modules if name.startswith("cls_kd.") and sys.modules[name]))
"""


def test_planning_imports_neither_torch_nor_what_needs_it() -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    planned, imported = outcome.stdout.splitlines()
    packages = {name.split(".")[1] for name in imported.split()}
    assert packages == {"runs", "errors", "files"}
    # The engine's checks and the classes change nothing about what is planned.
    path = ROOT / "configs" / "digits" / "demo.py"
    cfg = engine.load_config(path, options={"train_cfg.max_epochs": 3})
    checked = runs.plan(cfg, Path("work_dirs/demo"))
    assert planned == f"{len(checked)} {runs.choose(checked, 'kd/seed_3').digest()}"


def test_the_sections_are_those_of_mmengines_runner() -> None:
    given_by_the_engine = {"self", "cfg", "work_dir", "resume", "launcher"}
    of_mmengine = set(inspect.signature(Runner.__init__).parameters) - given_by_the_engine
    assert of_mmengine <= SECTIONS
    # What DistillRunner and MMEngine read of the config beside the parameters.
    assert SECTIONS - of_mmengine == {
        *("activation_checkpointing", "compile", "cpu_threads", "cuda_graph", "custom_imports"),
        *("efficient_conv_bn_eval", "find_unused_parameters", "model_wrapper_cfg", "sync_bn"),
    }


def test_mixed_precision_is_the_engines_and_part_of_the_digest(tmp_path: Path) -> None:
    path = ROOT / "configs" / "digits" / "pair.py"
    assert "amp" not in inspect.signature(runs.load_config).parameters
    plain, half = (
        runs.plan(engine.load_config(path, method="kd", amp=amp), tmp_path) for amp in (False, True)
    )
    assert "AmpOptimWrapper" in half[-1].text()
    assert half[-1].digest() != plain[-1].digest()


def test_an_unknown_option_of_an_entry_of_several_runs_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.py"
    file.write_text(
        "model = dict(student=dict(type='N'), losses={})\n"
        "runs = [dict(type='generations', name='chain', students=1, lamda_=0.5)]\n"
    )
    with pytest.raises(UserError, match=r"runs.0: generations has no 'lamda_'.*lambda_"):
        runs.load_config(file)
