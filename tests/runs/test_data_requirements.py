"""What a method needs of the data comes to the runs that train by it, and to no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from cls_kd.engine import load_config, plan
from cls_kd.errors import UserError
from tests.engine.tiny_runs import PAIR

DIGITS = {"type": "Digits", "labelled": 20}
REPEATED = {"type": "RepeatDataset", "times": 2, "dataset": DIGITS}
PAIRS = {"type": "ClassPairs"}


def config(**options: Any) -> Config:
    return Config(
        {
            "model": {"losses": {"ce": {"type": "A"}, "kd": {"type": "B", "weight": 1}}},
            "train_dataloader": {"dataset": REPEATED, "batch_size": 8},
            "randomness": {"seed": 0},
            **options,
        }
    )


def loaders(cfg: Config) -> list[dict[str, Any]]:
    runs = plan(cfg, Path("nowhere"))
    assert not any("train_data" in run.cfg for run in runs)
    return [run.cfg.to_dict()["train_dataloader"] for run in runs]


def test_a_wrapper_goes_around_the_data_set_itself() -> None:
    (loader,) = loaders(config(train_data={"wrapper": PAIRS}))
    inner = {**PAIRS, "dataset": DIGITS}
    assert loader == {"dataset": {**REPEATED, "dataset": inner}, "batch_size": 8}


def test_a_wrapper_that_is_there_is_not_doubled() -> None:
    there = {**REPEATED, "dataset": {**PAIRS, "dataset": DIGITS}}
    (loader,) = loaders(
        config(train_data={"wrapper": PAIRS}, train_dataloader={"dataset": there, "batch_size": 8})
    )
    assert loader["dataset"] == there


def test_a_batch_sampler_takes_over_the_last_batch() -> None:
    cfg = config(train_data={"batch_sampler": {"type": "LastBatchSampler"}})
    cfg.train_dataloader["drop_last"] = True
    (loader,) = loaders(cfg)
    assert loader == {
        "dataset": REPEATED,
        "batch_size": 8,
        "batch_sampler": {"type": "LastBatchSampler", "drop_last": True},
    }


def test_a_batch_sampler_that_is_there_stays_or_is_refused() -> None:
    wanted = {"batch_sampler": {"type": "cls_kd.data.LastBatchSampler"}}
    there = {"type": "LastBatchSampler", "drop_last": True}
    loader = {"dataset": REPEATED, "batch_size": 8, "batch_sampler": there}
    assert loaders(config(train_data=wanted, train_dataloader=loader)) == [loader]
    loader["batch_sampler"] = {"type": "GroupedSampler", "groups": 3}
    with pytest.raises(UserError, match=r"by LastBatchSampler, and .* is GroupedSampler"):
        loaders(config(train_data=wanted, train_dataloader=loader))


def test_runs_with_other_losses_keep_their_data() -> None:
    other = {"losses": {"_delete_": True, "ce": {"type": "A"}}}
    runs = [
        {"name": "teacher", "model": other},
        {"name": "same"},
        {"name": "more", "model": {"losses": {"kd": {"weight": 3}, "at": {"type": "C"}}}},
        {"name": "own", "model": other, "train_data": {"wrapper": PAIRS}},
        {"name": "none", "train_data": {}},
        # What a run says of its data is merged before anything is wrapped.
        {"name": "all", "train_dataloader": {"dataset": {"dataset": {"labelled": 50}}}},
    ]
    found = loaders(config(train_data={"wrapper": PAIRS}, runs=runs))
    wrapped = ["ClassPairs" in str(loader) for loader in found]
    assert wrapped == [False, True, True, True, False, True]
    assert found[-1]["dataset"]["dataset"]["dataset"] == {**DIGITS, "labelled": 50}


@pytest.mark.parametrize("method", ["cs_kd", "dlb"])
def test_methods_bring_theirs_and_leave_the_teacher(method: str) -> None:
    plain, own = load_config(PAIR, method="kd"), load_config(PAIR, method=method)
    teacher, student = plan(own, Path("nowhere"))
    before, _ = plan(plain, Path("nowhere"))
    assert teacher.digest() == before.digest()
    text = str(student.cfg.train_dataloader)
    assert ("ClassPairs" in text) == (method == "cs_kd")
    assert ("LastBatchSampler" in text) == (method == "dlb")


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(UserError, match=r"no 'wraper'.*'wrapper'"):
        loaders(config(train_data={"wraper": PAIRS}))
    with pytest.raises(UserError, match="no train_dataloader"):
        loaders(config(train_data={"wrapper": PAIRS}, train_dataloader=None))
