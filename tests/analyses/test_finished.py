"""Finished runs: their networks' signals over a whole part of the data, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch

from cls_kd.analyses import Finished, analyse, finished
from cls_kd.engine import Run
from cls_kd.errors import UserError
from cls_kd.registry import ANALYSES
from cls_kd.reporting import Section
from tests.engine import tiny_runs


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    root = tmp_path_factory.mktemp("finished")
    assert tiny_runs.in_child(_train, root) == 0
    return tiny_runs.single(tiny_runs.config(_teacher(root), epochs=1), root / "kd")


def _teacher(root: Path) -> Path:
    return root / "teacher" / "epoch_1.pth"


def _train(root: Path) -> None:
    teacher = tiny_runs.config(None, method="ce", epochs=1, model__student=tiny_runs.TEACHER)
    tiny_runs.train(tiny_runs.single(teacher, root / "teacher"))
    kd = tiny_runs.config(_teacher(root), epochs=1)
    tiny_runs.train(tiny_runs.single(kd, root / "kd"))


def test_signals_are_those_of_the_saved_networks_in_order(trained: Run) -> None:
    one = Finished(trained)
    names = ["student_logits", "teacher_logits", "student_embedding", "student_stages", "labels"]
    seen = one.signals("val", [*names, "index"])

    assert seen["index"].tolist() == list(range(60))
    batch = one.distiller.data_preprocessor(next(iter(one.loader("val"))), False)
    with torch.no_grad():
        assert torch.equal(seen["student_logits"], one.distiller.student(batch["inputs"]))
        assert torch.equal(
            seen["teacher_logits"], one.distiller.teachers[0].network(batch["inputs"])
        )
    saved = tiny_runs.last(trained.work_dir)["state_dict"]
    weight = next(key for key in saved if key.endswith("fc.weight") and "student" in key)
    head = saved[weight], saved[weight.replace("weight", "bias")]
    torch.testing.assert_close(
        torch.nn.functional.linear(seen["student_embedding"], *head), seen["student_logits"]
    )
    assert isinstance(seen["student_stages"], tuple)
    accuracy = (seen["student_logits"].argmax(1) == seen["labels"]).float().mean().item() * 100
    assert accuracy == pytest.approx(one.result["val"][-1]["accuracy/top1"])


def test_the_training_part_comes_once_in_order(trained: Run) -> None:
    seen = Finished(trained).signals("train", ["labels", "index"])
    assert seen["index"].tolist() == list(range(100))


def test_several_batches_are_joined(trained: Run) -> None:
    one = Finished(trained)
    whole = one.signals("val", ["student_logits"])["student_logits"]
    one.cfg.val_dataloader["batch_size"] = 7
    torch.testing.assert_close(one.signals("val", ["student_logits"])["student_logits"], whole)


def test_an_analysis_gets_the_chosen_runs_and_its_options(
    trained: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counted(runs: list[Finished], *, factor: int = 1) -> Section:
        return Section("counted", "Counted", pd.DataFrame({"runs": [len(runs) * factor]}))

    monkeypatch.setitem(ANALYSES._module_dict, "counted", counted)
    assert analyse({"type": "counted", "factor": 3}, [trained]).table["runs"].item() == 3


def test_what_is_refused(trained: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no analysis 'nothing'"):
        analyse({"type": "nothing"}, [trained])
    with pytest.raises(UserError, match="no run 'kdd'"):
        finished([trained], ["kdd"])
    untrained = tiny_runs.single(trained.cfg, tmp_path)
    with pytest.raises(UserError, match="not finished"):
        finished([untrained])
    with pytest.raises(UserError, match="of one run"):
        finished([trained, untrained], checkpoint="some.pth")
    with pytest.raises(UserError, match="student_logit'"):
        Finished(trained).signals("val", ["student_logit"])


def test_a_run_without_teacher_says_so(trained: Run) -> None:
    alone = tiny_runs.single(tiny_runs.config(None, method="ce", epochs=1), trained.work_dir)
    with pytest.raises(UserError, match="no teacher"):
        Finished(alone).signals("val", ["teacher_logits"])
