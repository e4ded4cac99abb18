"""Chains of generations: two numbers and a loss become runs that teach one another."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from cls_kd.engine import Run, load_config, plan
from cls_kd.engine.train import build_parts
from cls_kd.errors import UserError
from cls_kd.runs.compose import read_config
from tests.engine import tiny_runs
from tests.engine.tiny_runs import ROOT

PAPER = ROOT / "configs" / "digits" / "papers" / "generations.py"
TSD = {"type": "TSDLoss", "k": 3}


def config(*chains: dict[str, Any], **options: Any) -> Config:
    cfg = tiny_runs.config(None, **options)
    cfg.runs = [{"type": "generations", **chain} for chain in chains]
    return cfg


def runs(*chains: dict[str, Any], **options: Any) -> dict[str, Run]:
    found = plan(config(*chains, **options), Path("work"))
    return {run.name + (f"/{run.seed}" if run.seed else ""): run for run in found}


def weights(run: Run) -> dict[str, float]:
    return {name: loss["weight"] for name, loss in run.cfg.model.losses.items()}


def teacher(run: Run) -> str | None:
    return run.cfg.model.teacher and run.cfg.model.teacher.weights


def test_a_tolerant_chain() -> None:
    found = runs(dict(name="tsd", students=2, eta=0.7, lambda_=0.6, tolerance=TSD))
    assert list(found) == ["tsd_0", "tsd_1", "tsd_2"]
    assert weights(found["tsd_0"]) == {"ce": 0.7, "tolerance": 0.3}
    assert found["tsd_0"].cfg.model.losses.tolerance == {**TSD, "weight": 0.3}
    for name in ("tsd_1", "tsd_2"):
        assert weights(found[name]) == {"ce": 0.4, "kd": 0.6}
        assert found[name].cfg.model.losses.kd.temperature == 1
    assert [teacher(run) for run in found.values()] == [None, "run:tsd_0", "run:tsd_1"]


def test_one_network_from_labels_alone() -> None:
    found = runs(dict(name="alone", students=0, lambda_=0.0))
    assert list(found) == ["alone_0"]
    assert weights(found["alone_0"]) == {"ce": 1}
    assert teacher(found["alone_0"]) is None


def test_born_again_without_labels_from_another_chains_patriarch() -> None:
    strict = dict(name="strict", students=1, lambda_=0.5)
    found = runs(strict, dict(name="ban", students=2, lambda_=1.0, patriarch="strict_0"))
    assert list(found) == ["strict_0", "strict_1", "ban_1", "ban_2"]
    assert weights(found["strict_1"]) == {"ce": 0.5, "kd": 0.5}
    assert weights(found["ban_1"]) == weights(found["ban_2"]) == {"kd": 1}
    assert (teacher(found["ban_1"]), teacher(found["ban_2"])) == ("run:strict_0", "run:ban_1")


def test_weights_sum_to_one_as_they_are_written() -> None:
    for tenths in range(1, 10):
        chain = dict(name="a", students=1, eta=tenths / 10, lambda_=tenths / 10, tolerance=TSD)
        for run in runs(chain).values():
            assert [round(one, 1) for one in weights(run).values()] == [*weights(run).values()]
            assert sum(weights(run).values()) == pytest.approx(1)


def test_all_generations_are_one_architecture_the_configs() -> None:
    chain = dict(name="a", students=2, lambda_=0.5)
    found = runs(chain, model__student__backbone__widths=(2, 4, 8))
    for run in found.values():
        assert run.cfg.model.student.backbone.widths == (2, 4, 8)
    for name in ("a_1", "a_2"):
        assert found[name].cfg.model.teacher.network == found[name].cfg.model.student


def test_a_generation_is_taught_by_the_one_before_of_its_seed() -> None:
    found = runs(dict(name="a", students=2, lambda_=0.5, seeds=[3, 4]))
    assert len(found) == 6
    for seed in (3, 4):
        for place in (1, 2):
            (before,) = found[f"a_{place}/{seed}"].depends_on.values()
            assert (before.name, before.seed) == (f"a_{place - 1}", seed)


def test_generations_of_one_seed_start_from_other_weights() -> None:
    """Same architecture and same seed: without a shift the pupil would begin as its teacher did."""
    chain = dict(name="a", students=1, lambda_=0.5, seeds=[0, 1])
    found = runs(chain, dict(chain, name="b", eta=0.5, tolerance=TSD))
    assert {run.seed for run in found.values()} == {0, 1}
    first = {}
    for name, run in found.items():
        cfg = run.cfg.copy()
        cfg.model.teacher = None
        cfg.model.losses = {"ce": {"type": "TaskLoss"}}
        first[name] = build_parts(cfg)[0].student.backbone.stage1.conv.weight.detach()
    assert not torch.equal(first["a_0"], first["a_1"])
    assert not torch.equal(first["a_0"], first["a_0/1"])
    # Chains are compared seed by seed: there the same start is wanted.
    assert torch.equal(first["a_0"], first["b_0"])
    assert torch.equal(first["a_1"], first["b_1"])


def test_without_a_shift_a_seed_is_what_it_was(tmp_path: Path) -> None:
    cfg = config(dict(name="a", students=0, lambda_=0.0, seeds=[7]))
    (chained,) = plan(cfg, tmp_path)
    cfg.runs = [dict(name="a_0", seeds=[7])]
    (plain,) = plan(cfg, tmp_path)
    assert chained.cfg.randomness == plain.cfg.randomness == {"seed": 7, "deterministic": False}


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        (dict(students=1, lambda_=1.2), r"'a': lambda_ is in \[0, 1\], not 1.2"),
        (dict(students=1, lambda_=0.5, eta=-1), r"eta is in \[0, 1\], not -1"),
        (dict(students=1, lambda_=0.5, eta=0.6), "leaves 0.4 .* tolerance=dict"),
        (dict(students=1, lambda_=0.5, tolerance=TSD), "leaves 0 .* tolerance=None"),
        (dict(students=2, lambda_=0.0), "students=2 and lambda_=0.0"),
        (dict(students=0, lambda_=0.5), "students=0 and lambda_=0.5"),
        (dict(students=-1, lambda_=0.5), "students=-1"),
        (
            dict(students=1, lambda_=0.5, eta=0.5, tolerance=TSD, patriarch="b_0"),
            "the patriarch is the run 'b_0'",
        ),
        (dict(students=1, lambda_=0.5, patriarch="b_0"), "'run:b_0', which is no earlier run"),
        (dict(students=1, lambda_=0.5, etta=0.5), "'a': .*unexpected keyword argument 'etta'"),
        (dict(students=1), "'a': .*missing .*'lambda_'"),
        (dict(type="generation", students=1, lambda_=0.5), "'generation'.*'generations'"),
    ],
)
def test_what_contradicts_itself_is_refused(chain: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        runs({"name": "a", **chain})


def test_names_that_meet_are_refused() -> None:
    chain = dict(name="a", students=1, lambda_=0.5)
    with pytest.raises(UserError, match="Two runs are named 'a_0'"):
        runs(chain, chain)


# --- as a config ---


def test_the_papers_config_is_dumped_and_read_to_the_same_runs(tmp_path: Path) -> None:
    cfg = load_config(PAPER)
    (tmp_path / "dumped.py").write_text(cfg.pretty_text)
    again = load_config(tmp_path / "dumped.py")
    first, other = (plan(one, tmp_path) for one in (cfg, again))
    assert [run.digest() for run in first] == [run.digest() for run in other]
    assert len({run.digest() for run in first}) == len(first)
    assert read_config(PAPER).runs.strict.type == "cls_kd.runs.generations.generations"


def test_the_numbers_can_be_changed_from_the_command_line() -> None:
    options = {"runs.tsd.eta": 0.8, "runs.tsd.lambda_": 0.5, "runs.tsd.students": 1}
    found = plan(load_config(PAPER, options=options, seed=9), Path("work"))
    tsd = [run for run in found if run.name.startswith("tsd")]
    assert [(run.name, run.seed) for run in tsd] == [("tsd_0", 9), ("tsd_1", 9)]
    assert [weights(run) for run in tsd] == [{"ce": 0.8, "tolerance": 0.2}, {"ce": 0.5, "kd": 0.5}]


def test_another_seed_changes_no_run_of_the_papers_config(tmp_path: Path) -> None:
    before = {run.title: run.digest() for run in plan(load_config(PAPER), tmp_path)}
    more = load_config(PAPER, options={"runs.strict.seeds": [0, 1, 2, 3, 4, 5]})
    after = {run.title: run.digest() for run in plan(more, tmp_path)}
    assert before.items() <= after.items()
    assert len(after) == len(before) + 4


def test_the_config_of_the_page_can_be_planned(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "papers" / "generations.md").read_text()
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    path = tmp_path / "configs" / "digits" / "papers" / "mine.py"
    path.write_text(code)
    found = {run.name: run for run in plan(load_config(path), tmp_path)}
    assert [*found] == [
        *("teacher_0", "born_again_1", "born_again_2"),
        *("tolerant_0", "tolerant_1", "tolerant_2", "tolerant_3"),
    ]
    assert teacher(found["born_again_1"]) == "run:teacher_0"
    assert weights(found["tolerant_0"]) == {"ce": 0.7, "tolerance": 0.3}
