"""What is measured of branches, worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmpretrain.evaluation import Accuracy

from cls_kd.evaluation import PeerAccuracy
from cls_kd.evaluation.branches import diversity
from tests.distillers import tiny

# Two branches, three images, two classes.
SCORES = torch.tensor([[[1.0, 0.0], [0.6, 0.4], [0.2, 0.8]], [[0.0, 1.0], [0.6, 0.4], [0.5, 0.5]]])


def test_diversity_is_the_mean_distance_of_two_predictions() -> None:
    expected = (math.sqrt(2) + 0.0 + math.sqrt(0.18)) / 3
    assert diversity(SCORES) == pytest.approx(expected)
    assert diversity(SCORES[:1]) == 0
    assert diversity(SCORES[[0, 0, 0]]) == 0
    three = torch.cat([SCORES, SCORES[:1]])  # pairs: (0, 1), (0, 2), (1, 2)
    assert diversity(three) == pytest.approx(2 * expected / 3)


def predictions(ensemble: list[list[float]], labels: list[int]) -> list[Any]:
    found = tiny.samples(labels)
    for place, sample in enumerate(found):
        sample.set_field(SCORES[:, place], "peer_scores")
        sample.set_field(torch.tensor(ensemble[place]), "ensemble_score")
    return found


def test_each_branch_their_mean_and_the_ensemble() -> None:
    evaluator = Evaluator([PeerAccuracy()])
    found = predictions([[0.9, 0.1], [0.1, 0.9], [0.9, 0.1]], [0, 1, 1])
    evaluator.process(found[:2])
    evaluator.process(found[2:])
    assert evaluator.evaluate(3) == {
        "branch_0/top1": pytest.approx(200 / 3),
        "branch_1/top1": pytest.approx(0),  # of two equal scores the first class is the answer
        "branches/mean_top1": pytest.approx(100 / 3),
        "branches/diversity": pytest.approx(diversity(SCORES)),
        "ensemble/top1": pytest.approx(200 / 3),
    }


def test_of_one_network_it_says_nothing() -> None:
    evaluator = Evaluator([PeerAccuracy()])
    evaluator.process(tiny.samples([0, 1]))
    assert evaluator.evaluate(2) == {}


def test_it_measures_a_student() -> None:
    student = tiny.branches(tiny.digits_cnn(), deploy=2)
    model = tiny.distiller(dict(ce=dict(type="PeerTaskLoss")), student=student).eval()
    evaluator = Evaluator([Accuracy(topk=(1,)), PeerAccuracy()])
    evaluator.process(model.val_step(tiny.data(20)))
    found = evaluator.evaluate(20)
    assert found["accuracy/top1"] == pytest.approx(found["branch_2/top1"], abs=1e-4)
    assert found["branches/diversity"] > 0
