"""Finished runs: their networks' signals over a whole part of the data, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from mmengine.logging import MessageHub

from cls_kd.analyses import FinishedRun, analyze, finished_runs
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
    one = FinishedRun(trained)
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
    seen = FinishedRun(trained).signals("train", ["labels", "index"])
    assert seen["index"].tolist() == list(range(100))


def test_the_training_part_is_augmented_by_the_preprocessor_too(
    trained: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = FinishedRun(trained)
    one.cfg.train_dataloader["dataset"]["pipeline"] = [
        dict(type="mmpretrain.datasets.transforms.PackInputs")
    ]
    plain = one.signals("train", ["inputs"])["inputs"]
    one = FinishedRun(trained)
    one.cfg.train_dataloader["dataset"]["pipeline"] = [
        dict(type="mmpretrain.datasets.transforms.PackInputs")
    ]
    # Crops as the student has them, but nothing mixed: labels stay those of the images.
    one.cfg.data_preprocessor.update(
        augment=dict(type="cls_kd.data.RandomCropFlip", padding=2),
        batch_augments=dict(augments=[dict(type="mmpretrain.Mixup", alpha=1.0)]),
    )
    cropped, targets = one.signals("train", ["inputs", "targets"]).values()
    assert (cropped != plain).flatten(1).any(1).float().mean() > 0.9
    assert set(targets.unique().tolist()) == {0.0, 1.0}
    # Whatever was trained before in this process.
    runtime = MessageHub.get_current_instance().runtime_info
    monkeypatch.setitem(runtime, "epoch", 7)
    monkeypatch.setitem(runtime, "seed", 7)
    assert torch.equal(one.signals("train", ["inputs"])["inputs"], cropped)
    seen = one.signals("val", ["inputs"])["inputs"]
    assert torch.equal(seen, FinishedRun(trained).signals("val", ["inputs"])["inputs"])


def test_a_borrowed_teacher_sees_the_images_of_the_run(trained: Run) -> None:
    config = tiny_runs.config(None, method="ce", epochs=1)
    config.randomness["seed"] = 5
    alone, taught = FinishedRun(tiny_runs.single(config, trained.work_dir)), FinishedRun(trained)
    names = ["inputs", "student_logits", "teacher_logits"]
    inputs, student, teacher = alone.signals("train", names, teacher_of=taught).values()
    # Another seed draws other shifts; both networks must have seen these.
    assert not torch.equal(inputs, taught.signals("train", ["inputs"])["inputs"])
    with torch.no_grad():
        torch.testing.assert_close(student, alone.distiller.student(inputs))
        torch.testing.assert_close(teacher, taught.distiller.teachers[0].network(inputs))

    alone = FinishedRun(alone.run)
    alone.cfg.data_preprocessor.update(mean=[0.0])
    with pytest.raises(UserError, match="normalize images differently"):
        alone.signals("train", ["teacher_logits"], teacher_of=taught)


def test_several_batches_are_joined(trained: Run) -> None:
    one = FinishedRun(trained)
    names = ["student_logits", "student_stages"]
    whole = one.signals("val", names)
    assert [len(stage) for stage in whole["student_stages"]] == [60, 60, 60]
    one.cfg.val_dataloader["batch_size"] = 7
    torch.testing.assert_close(one.signals("val", names), whole)


def test_an_analysis_gets_the_chosen_runs_and_its_options(
    trained: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counted(runs: list[FinishedRun], *, factor: int = 1) -> Section:
        return Section("counted", "Counted", pd.DataFrame({"runs": [len(runs) * factor]}))

    monkeypatch.setitem(ANALYSES._module_dict, "counted", counted)
    assert analyze({"type": "counted", "factor": 3}, [trained]).table["runs"].item() == 3


def test_what_is_refused(trained: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no analysis 'nothing'"):
        analyze({"type": "nothing"}, [trained])
    with pytest.raises(UserError, match="no run 'kdd'"):
        finished_runs([trained], ["kdd"])
    untrained = tiny_runs.single(trained.cfg, tmp_path)
    with pytest.raises(UserError, match="not finished"):
        finished_runs([untrained])
    with pytest.raises(UserError, match="of one run"):
        finished_runs([trained, untrained], checkpoint="some.pth")
    with pytest.raises(UserError, match="student_logit'"):
        FinishedRun(trained).signals("val", ["student_logit"])
    for name in ("epoch", "student_forward", "pair_logits"):
        with pytest.raises(UserError, match=f"'{name}' is known in a training step only"):
            FinishedRun(trained).signals("val", [name])


def test_a_run_without_teacher_says_so(trained: Run) -> None:
    alone = tiny_runs.single(tiny_runs.config(None, method="ce", epochs=1), trained.work_dir)
    with pytest.raises(UserError, match="no teacher"):
        FinishedRun(alone).signals("val", ["teacher_logits"])
