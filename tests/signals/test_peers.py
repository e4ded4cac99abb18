"""Signals of a student of several branches: what the losses see is what the branches say."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.losses import DistillLoss, PeerTaskLoss
from cls_kd.signals import SignalShapes
from tests.distillers import tiny

SIGNALS = ("peer_logits", "peer_embeddings", "peer_targets", "peer_classifiers", "ensemble_logits")


class Looking(DistillLoss):
    """Keeps what it sees."""

    def build(self, shapes: SignalShapes) -> None:
        self.facts = shapes

    def forward(
        self,
        peer_logits: Tensor,
        peer_embeddings: Tensor,
        peer_targets: Tensor,
        peer_classifiers: Tensor,
        ensemble_logits: Tensor,
    ) -> Tensor:
        self.seen = (peer_logits, peer_embeddings, peer_targets, peer_classifiers, ensemble_logits)
        return peer_logits.sum() + peer_targets.sum() + peer_classifiers.sum()


def distiller(**options: Any) -> Any:
    fusion = dict(type="FeatureFusion")
    student = tiny.branches(tiny.digits_cnn(), fusion=fusion, **options)
    return tiny.distiller(dict(looking=Looking()), student=student)


def test_losses_see_every_branch() -> None:
    model = distiller(deploy=1)
    values = tiny.step(model, tiny.data(6))
    logits, embeddings, targets, classifiers, ensemble = model.losses["looking"].seen
    assert [tuple(one.shape) for one in model.losses["looking"].seen] == [
        (3, 6, 10),
        (3, 6, 8),
        (3, 6, 10),
        (3, 10, 8),
        (6, 10),
    ]
    biases = torch.stack([branch.head.fc.bias for branch in model.student.branches])
    said = torch.einsum("pnd,pkd->pnk", embeddings, classifiers)
    # After the step the biases have moved by lr times a gradient of 6 images (and targets' share).
    assert (said - logits + biases.unsqueeze(1)).std(1).max() < 1e-5
    assert torch.equal(targets[2], ensemble)
    assert torch.isfinite(values["loss"])


def test_gradients_reach_the_branches_the_trunk_and_the_fusion() -> None:
    model = distiller()
    tiny.step(model, tiny.data(6))
    assert not [name for name, one in model.named_parameters() if one.grad is None]
    for name in ("trunk.stage1.conv.weight", "branches.2.head.fc.weight", "fusion.conv.weight"):
        assert model.student.get_parameter(name).grad.abs().sum() > 0, name


def test_shapes_are_measured_without_the_batch() -> None:
    facts = distiller().losses["looking"].facts
    assert {name: facts.tensor(name) for name in SIGNALS} == {
        "peer_logits": (3, 10),
        "peer_embeddings": (3, 8),
        "peer_targets": (3, 10),
        "peer_classifiers": (3, 10, 8),
        "ensemble_logits": (10,),
    }


@pytest.mark.parametrize("deploy", [2, "ensemble"])
def test_the_student_s_logits_are_those_of_what_is_deployed(deploy: int | str) -> None:
    model = distiller(deploy=deploy).eval()
    inputs = tiny.images(4)
    seen = model.source.run(inputs)
    expected = seen["ensemble_logits"] if deploy == "ensemble" else seen["peer_logits"][2]
    assert torch.equal(seen["student_logits"], expected)


class Single(DistillLoss):
    """Wants what one branch has as any network has it."""

    def forward(self, student_embedding: Tensor, student_feature: Tensor) -> Tensor:
        self.seen = (student_embedding, student_feature)
        return student_embedding.sum() + student_feature.sum()


def test_a_deployed_branch_has_the_places_of_a_network() -> None:
    student = tiny.branches(tiny.digits_cnn(), deploy=1)
    loss = Single()
    model = tiny.distiller(dict(ce=PeerTaskLoss(), single=loss), student=student).eval()
    inputs, samples = tiny.batch(4)
    model.loss(inputs, samples)
    branch = model.student.branch(1)
    maps = branch.backbone(inputs)
    assert torch.equal(loss.seen[1], maps[-1])
    assert torch.equal(loss.seen[0], branch.neck(maps)[0])


def test_an_ensemble_has_no_one_embedding() -> None:
    student = tiny.branches(tiny.digits_cnn(), deploy="ensemble")
    with pytest.raises(
        UserError, match=r"no tap for 'student_(embedding|feature)'.*Known: .*, peer_logits"
    ):
        tiny.distiller(dict(single=Single()), student=student)


@pytest.mark.parametrize("losses", [dict(ce=dict(type="PeerTaskLoss")), dict(look=Looking())])
def test_one_network_is_no_peer(losses: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="MultiBranchClassifier"):
        tiny.distiller(losses)


def test_classifiers_alone_need_branches_too() -> None:
    with pytest.raises(UserError, match=r"'peer_classifiers'.*MultiBranchClassifier"):
        tiny.distiller(dict(cd=dict(type="ClassifierDiversityLoss")))


@pytest.mark.parametrize("fusion", ["GateFusion", "FeatureFusion", "AttentionFusion"])
def test_a_step_in_bfloat16(fusion: str) -> None:
    losses = dict(
        ce=dict(type="PeerTaskLoss"),
        ensemble=dict(type="EnsembleTaskLoss"),
        kd=dict(type="EnsembleDistillationLoss", detach=False),
        cd=dict(type="ClassifierDiversityLoss", weight=0.01),
    )
    student = tiny.branches(tiny.digits_cnn(), fusion=dict(type=fusion), branch_gradient_scale=0.5)
    model = tiny.distiller(losses, student=student)
    inputs, samples = tiny.batch(6)
    full = model.loss(inputs, samples)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model.loss(inputs, samples)
    for name, value in half.items():
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(full[name].item(), rel=0.05, abs=0.01), name
    sum(half.values()).backward()
    assert all(torch.isfinite(one.grad).all() for one in model.parameters())
