"""Branches: cut anywhere, they are the uncut networks; each parameter is there once and is used."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.models import MultiBranchClassifier
from cls_kd.models.fusions import BranchSizes
from cls_kd.models.split_backbone import find_cut
from cls_kd.registry import MODELS
from tests.distillers import tiny

FUSIONS = [
    "MeanFusion",
    "GateFusion",
    "FeatureFusion",
    "AttentionFusion",
    "FeatureClassifierFusion",
    "EmbeddingClassifierFusion",
]


def classifier(backbone: dict[str, Any], width: int) -> dict[str, Any]:
    return tiny.classifier(backbone, width)


DIGITS = tiny.digits_cnn()
RESNET = tiny.resnet_cifar(2)
MOBILE = classifier(dict(type="MobileNetV2", widen_factor=0.1), 1280)
SHUFFLE = classifier(dict(type="ShuffleNetV2", widen_factor=0.5), 1024)
VGG = classifier(dict(type="VGG", depth=11, norm_cfg=dict(type="BN")), 512)
DENSE_ARCH = dict(growth_rate=4, depths=[2, 2, 2, 2], init_channels=8)
DENSE = classifier(dict(type="DenseNet", arch=DENSE_ARCH), 16)
MOBILE3 = classifier(dict(type="MobileNetV3", arch="small"), 576)
TIMM = classifier(dict(type="TIMMBackbone", model_name="test_resnet"), 96)

CUTS = [
    (DIGITS, "stage1"),
    (DIGITS, "stage2.norm"),
    (DIGITS, "stage3"),
    (RESNET, "conv1"),
    (RESNET, "relu"),
    (RESNET, "layer2"),
    (RESNET, "layer3.0"),
    (RESNET, "layer4"),
    (MOBILE, "layer3"),
    (SHUFFLE, "layers.1"),
    (VGG, "features.3"),
    (DENSE, "stages.1"),
    (DENSE, "transitions.1"),
    (MOBILE3, "layer5"),
    (TIMM, "timm_model.layer2"),
]
every_cut = pytest.mark.parametrize(
    ("network", "after"),
    CUTS,
    ids=[f"{str(one['backbone']['type']).split('.')[-1]}-{after}" for one, after in CUTS],
)


def build(network: dict[str, Any] = DIGITS, seed: int = 0, **options: Any) -> MultiBranchClassifier:
    torch.manual_seed(seed)
    return MODELS.build(tiny.branches(network, **options))


def images(network: dict[str, Any], count: int = 4) -> Tensor:
    channels, size = (1, 8) if network is DIGITS else (3, 32)
    return tiny.images(count, channels, size=size)


def outputs(model: MultiBranchClassifier, inputs: Tensor) -> tuple[Tensor, ...]:
    """Peer logits, embeddings, targets, ensemble."""
    seen: list[tuple[Tensor, ...]] = []
    hook = model.exits.register_forward_hook(lambda _m, _i, out: seen.append(out))
    model(inputs)
    hook.remove()
    return seen[0]


@every_cut
def test_a_branch_is_the_uncut_network_with_the_same_weights(
    network: dict[str, Any], after: str
) -> None:
    """In evaluation and in training, where every network has the same statistics of the batch."""
    model = build(network, cut_after=after, num_branches=2)
    inputs = images(network)
    names = {name for name, _ in model.branch(0).named_parameters()}
    for training in (False, True):
        model.train(training)
        if training:
            for one in model.modules():
                if isinstance(one, nn.Dropout | nn.Dropout2d):
                    one.p = 0.0
        wholes = [model.branch(place) for place in range(2)]
        peers = outputs(model, inputs)[0]
        for whole, logits in zip(wholes, peers, strict=True):
            if training:
                for one in whole.modules():
                    if isinstance(one, nn.Dropout | nn.Dropout2d):
                        one.p = 0.0
            assert torch.equal(whole(inputs), logits)
    trunk = {f"backbone.{name}" for name, _ in model.trunk.named_parameters()}
    for branch in model.branches:
        own = {name for name, _ in branch.named_parameters()}
        assert own | trunk == names
        assert not own & trunk, "a parameter would be there twice, and one of the two unused"


def test_the_trunk_runs_once() -> None:
    model, runs = build(cut_after="stage1"), []
    for one in model.modules():
        if isinstance(one, nn.Conv2d):
            one.register_forward_hook(lambda conv, *_: runs.append(conv))
    model(images(DIGITS))
    assert len(runs) == len(set(runs)) == 1 + 3 * 2  # stage1 once, two more stages in each branch


def test_branches_start_from_weights_of_their_own() -> None:
    model = build(cut_after="stage1")
    model.init_weights()
    for name, value in model.branches[0].named_parameters():
        other = dict(model.branches[1].named_parameters())[name]
        assert value.ndim == 1 or not torch.equal(value, other), name


def test_whole_networks_share_nothing() -> None:
    model = build(cut_after=None)
    one, other = (set(map(id, branch.parameters())) for branch in model.branches[:2])
    assert model.trunk is None
    assert not one & other
    inputs = images(DIGITS)
    peers = outputs(model.eval(), inputs)[0]
    for place in range(3):
        assert torch.equal(model.branch(place)(inputs), peers[place])


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("after", ["stage1", None])
def test_every_parameter_gets_a_gradient(fusion: str, after: str | None) -> None:
    """DDP runs with find_unused_parameters=False."""
    model = build(cut_after=after, fusion=dict(type=fusion))
    logits, _, targets, _ = outputs(model, images(DIGITS, 6))
    (logits.square().sum() + targets.square().sum()).backward()
    assert not [name for name, one in model.named_parameters() if one.grad is None]
    state = model.state_dict()
    assert len(state) == len({value.data_ptr() for value in state.values() if value.ndim}) + sum(
        value.ndim == 0 for value in state.values()
    )


@pytest.mark.parametrize("scale", [1.0, 1 / 3, 0.0])
def test_the_gradient_is_scaled_where_branches_part(scale: float) -> None:
    gradients = {}
    for factor in (1.0, scale):
        model = build(cut_after="stage2", branch_gradient_scale=factor)
        logits = outputs(model, images(DIGITS))[0]
        logits.square().sum().backward()
        gradients[factor] = {name: one.grad for name, one in model.named_parameters()}
    for name, plain in gradients[1.0].items():
        factor = scale if name.startswith("trunk.") else 1.0
        assert torch.allclose(gradients[scale][name], factor * plain, rtol=1e-4, atol=1e-5), name
    assert any(name.startswith("trunk.") for name in gradients[1.0])


def test_mean_fusion_teaches_by_all_or_by_the_others() -> None:
    for own in (True, False):
        model = build(fusion=dict(type="MeanFusion", own=own)).eval()
        logits, _, targets, ensemble = outputs(model, images(DIGITS))
        assert torch.allclose(ensemble, (logits[0] + logits[1] + logits[2]) / 3, atol=1e-6)
        expected = ensemble if own else (logits[0] + logits[2]) / 2
        assert torch.allclose(targets[1], expected, atol=1e-6)


@pytest.mark.parametrize("fusion", ["GateFusion", "FeatureFusion"])
@pytest.mark.parametrize("after", ["stage1", None])
def test_weights_of_a_fusion_are_a_mixture_for_each_image(fusion: str, after: str | None) -> None:
    model = build(cut_after=after, fusion=dict(type=fusion)).eval()
    for one in model.fusion.parameters():
        nn.init.uniform_(one, 0.0, 0.5)  # no dead ReLU
    inputs = images(DIGITS)
    logits, _, targets, ensemble = outputs(model, inputs)
    shared = None if model.trunk is None else model.trunk(inputs)[-1]
    weights = model.fusion.weigh(model.extract_feat(inputs), shared)  # (N, P)
    assert weights.shape == (4, 3)
    assert torch.allclose(weights.sum(1), torch.ones(4))
    assert weights.std(0).max() > 1e-4, "the weights depend on the image"
    for sample in range(4):
        mixed = sum(weights[sample, peer] * logits[peer, sample] for peer in range(3))
        assert torch.allclose(ensemble[sample], mixed, atol=1e-6)
    assert all(torch.equal(target, ensemble) for target in targets)


def test_attention_gives_each_peer_its_own_target_and_the_leader_the_mean() -> None:
    model = build(
        num_branches=4, deploy=-1, fusion=dict(type="AttentionFusion", reduction=2)
    ).eval()
    for one in model.fusion.parameters():
        nn.init.normal_(one)
    inputs = images(DIGITS)
    logits, embeddings, targets, ensemble = outputs(model, inputs)
    assert torch.equal(model(inputs), logits[3])
    query, key = model.fusion.query.weight, model.fusion.key.weight
    assert query.shape == (4, 8)
    for sample in range(4):
        for peer in range(3):
            asked = query @ embeddings[peer, sample]
            scores = torch.stack([asked @ (key @ embeddings[b, sample]) for b in range(3)])
            weights = scores.softmax(0)
            mixed = sum(weights[b] * logits[b, sample] for b in range(3))
            assert torch.allclose(targets[peer, sample], mixed, atol=1e-5)
    assert torch.allclose(targets[3], logits[:3].mean(0))
    assert torch.equal(ensemble, logits[:3].mean(0))
    assert not torch.allclose(targets[0], targets[1])


def test_what_is_deployed_is_the_answer() -> None:
    inputs = images(DIGITS)
    answers = {deploy: build(deploy=deploy).eval()(inputs) for deploy in (0, 2, -1, "ensemble")}
    logits, _, _, ensemble = outputs(build().eval(), inputs)
    assert torch.equal(answers[0], logits[0])
    assert torch.equal(answers[2], logits[2])
    assert torch.equal(answers[-1], logits[2])
    assert torch.equal(answers["ensemble"], ensemble)


def test_predictions_carry_what_each_branch_says() -> None:
    model, inputs = build(deploy=1).eval(), images(DIGITS)
    samples = tiny.samples([0, 1, 2, 3])
    predictions = model(inputs, samples, mode="predict")
    logits, _, _, ensemble = outputs(model, inputs)
    for place, one in enumerate(predictions):
        assert isinstance(one, DataSample)
        assert one.gt_label == place
        assert torch.equal(one.peer_scores, logits[:, place].softmax(1))
        assert torch.equal(one.ensemble_score, ensemble[place].softmax(0))
        assert torch.equal(one.pred_score, logits[1, place].softmax(0))
    assert len(model(inputs, mode="predict")) == 4


def test_classifiers_are_the_weights_themselves() -> None:
    model = build()
    weights = model.peer_classifiers()
    assert weights.shape == (3, 10, 8)
    weights.sum().backward()
    assert all(bool((one.head.fc.weight.grad == 1).all()) for one in model.branches)


def test_state_and_copies() -> None:
    model, other = build(seed=1).eval(), build(seed=2).eval()
    inputs = images(DIGITS)
    assert not torch.equal(model(inputs), other(inputs))
    other.load_state_dict(model.state_dict())
    assert torch.equal(model(inputs), other(inputs))
    assert torch.equal(copy.deepcopy(model)(inputs), model(inputs))
    branch = model.branch(0)
    with torch.no_grad():
        branch.head.fc.weight.zero_()
    assert model.branches[0].head.fc.weight.abs().sum() > 0, "a branch taken out is a copy"


def test_the_deployed_branch_and_the_ensemble_can_be_exported_by_torch() -> None:
    model, inputs = (
        build(fusion=dict(type="FeatureFusion"), deploy="ensemble").eval(),
        images(DIGITS),
    )
    for network in (model, model.branch(1)):
        program = torch.export.export(network, (inputs,))
        assert torch.allclose(program.module()(inputs), network(inputs), atol=1e-6)


class Skipping(nn.Module):
    """A connection that leads past the second stage."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = (nn.Conv2d(1, 1, 3, padding=1) for _ in range(3))

    def forward(self, x: Tensor) -> tuple[Tensor]:
        early = self.first(x)
        return (self.third(self.second(early)) + early,)


class Overwriting(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Conv2d(1, 1, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(1, 1, 3))

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (super().forward(x),)


@pytest.mark.parametrize(
    ("backbone", "after", "words"),
    [
        (tiny.Plain(), "thrid", "no module 'thrid'.*first, second"),
        (Skipping(), "second", "do not give what it gives as a whole"),
        (Overwriting(), "0", "overwrites its input in place"),
        (MODELS.build(tiny.vit()["backbone"]), "layers.0", "on both sides, and has cls_token"),
        (MODELS.build(dict(type="ConvNeXt", arch="atto")), "stages.2", "do not fit together"),
    ],
)
def test_what_cannot_be_cut_is_refused(backbone: nn.Module, after: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        find_cut(backbone, after)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(deploy=3), "no branch 3"),
        (dict(deploy="all"), "no branch 'all'"),
        (dict(num_branches=0), "num_branches"),
        (dict(cut_after=None, branch_gradient_scale=0.5), "there is none"),
        (dict(num_branches=1, fusion=dict(type="MeanFusion", own=False)), "two branches"),
        (dict(num_branches=1, fusion=dict(type="AttentionFusion")), "a leader"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        build(**options)


def test_it_has_no_loss_of_its_own() -> None:
    with pytest.raises(UserError, match="no mode 'loss'"):
        build()(images(DIGITS), mode="loss")


def test_sizes_are_measured() -> None:
    assert build(RESNET, cut_after="layer2").fusion.sizes == BranchSizes(3, 16, 16, 4, 10)
    assert build(DIGITS, cut_after=None).fusion.sizes == BranchSizes(3, 8, 8, None, 10)
