"""A teacher in training mode: a fault of a source, which is reproduced where it is asked for."""

from __future__ import annotations

import copy
import logging
from types import SimpleNamespace

import pytest
import torch

from cls_kd.engine.hooks import TeacherHook
from tests.distillers import tiny

CE, KD = dict(type="TaskLoss"), dict(type="KDLoss", temperature=2.0)


def test_it_sees_the_batch_s_statistics_and_its_own_drift() -> None:
    model = tiny.distiller({"ce": CE, "kd": KD}, teacher=tiny.teacher(train_mode=True))
    teacher = model.teachers[0]
    reference = copy.deepcopy(teacher.network).train()
    before = teacher.digest()
    data = model.data_preprocessor(tiny.data(8), True)
    model.train()
    terms = model(**data, mode="loss")
    with torch.no_grad():
        expected = model.losses["kd"](
            student_logits=model.student(data["inputs"]),
            teacher_logits=reference(teacher.normalize_inputs(data["inputs"])),
        )
    torch.testing.assert_close(terms["kd.loss"].detach(), expected)
    assert teacher.digest() != before
    for name, buffer in teacher.network.named_buffers():
        torch.testing.assert_close(buffer, reference.get_buffer(name))
    assert not any(one.requires_grad for one in teacher.network.parameters())
    assert any("TRAINING MODE (train_mode=True)" in note for note in model.notes)


@pytest.mark.parametrize("train_mode", [True, False])
def test_only_such_a_teacher_may_change(train_mode: bool, caplog: pytest.LogCaptureFixture) -> None:
    model = tiny.distiller({"ce": CE, "kd": KD}, teacher=tiny.teacher(train_mode=train_mode))
    runner = SimpleNamespace(model=model, logger=logging.getLogger("test"))
    hook = TeacherHook()
    hook.digests = [model.teachers[0].digest()]
    tiny.step(model, tiny.data())
    with caplog.at_level(logging.INFO):
        hook.after_train(runner)
    assert ("training mode" in caplog.text) == train_mode
    model.teachers[0].network.backbone.get_buffer(
        next(name for name, _ in model.teachers[0].network.backbone.named_buffers())
    ).add_(1)
    if not train_mode:
        with pytest.raises(RuntimeError, match="has changed"):
            hook.after_train(runner)
