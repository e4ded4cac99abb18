"""The vocabulary is complete, and says what is near to a name that it does not know."""

from __future__ import annotations

import pytest

from cls_kd.errors import UserError
from cls_kd.signals import VOCABULARY, Batch, check_names
from cls_kd.signals.vocabulary import CALLABLES


@pytest.mark.parametrize("name", VOCABULARY)
def test_every_signal_is_documented(name: str) -> None:
    signal = VOCABULARY[name]
    assert signal.name == name
    assert len(signal.meaning) > 10
    assert signal.shape
    if signal.provider in ("student", "teacher"):
        prefixes = {
            "student": ("student_", "pair_", "view_", "peer_", "mean_peer_", "ensemble_"),
            "teacher": ("teacher_", "all_teacher_"),
        }
        assert name.startswith(prefixes[signal.provider])


def test_student_and_teacher_have_the_same_places() -> None:
    names = {
        role: {name.removeprefix(f"{role}_") for name in VOCABULARY if name.startswith(role)}
        for role in ("student", "teacher")
    }
    assert names["student"] - names["teacher"] == {"criterion", "projected"}
    # The student's views are signals without its name.
    views = {"view_logits", "view_embeddings", "view_stages"}
    assert names["teacher"] - names["student"] == {"preact_norms"} | views
    assert views <= set(VOCABULARY)


def test_callables_are_in_the_vocabulary() -> None:
    assert set(VOCABULARY) >= CALLABLES
    assert all("callable" in VOCABULARY[name].meaning for name in CALLABLES)


@pytest.mark.parametrize(
    "name", [name for name, one in VOCABULARY.items() if one.provider in ("batch", "time")]
)
def test_the_batch_provides_what_is_said_to_be_its_own(name: str) -> None:
    assert hasattr(Batch, name) or name == "inputs"


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("teacher_logit", "teacher_logits"),
        ("student_stage", "student_stages"),
        ("lables", "labels"),
        ("indices", "index"),
    ],
)
def test_an_unknown_name_is_answered_with_near_ones(wrong: str, near: str) -> None:
    with pytest.raises(UserError, match=f"TheLoss asks for the signal '{wrong}'.*'{near}'"):
        check_names(["labels", wrong], "TheLoss")


def test_known_names_pass() -> None:
    check_names(VOCABULARY, "everything")


@pytest.mark.parametrize(
    ("name", "rank"),
    [
        ("student_logits", 2),
        ("teacher_embedding", 2),
        ("student_feature", 4),
        ("teacher_stages", 4),
        ("student_preacts", 4),
        ("student_tokens", 3),
        ("teacher_blocks", 3),
        ("student_normed_tokens", 3),
        ("peer_logits", 3),
        ("ensemble_logits", 2),
    ],
)
def test_rank_is_the_number_of_axes(name: str, rank: int) -> None:
    assert VOCABULARY[name].rank == rank


@pytest.mark.parametrize(
    ("name", "axis"),
    [("student_logits", 0), ("student_stages", 0), ("peer_logits", 1), ("peer_classifiers", None)],
)
def test_the_batch_axis_is_where_the_shape_says(name: str, axis: int | None) -> None:
    assert VOCABULARY[name].batch_axis == axis
