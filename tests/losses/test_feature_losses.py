"""Feature losses against expressions written by hand, and what they refuse."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.losses import (
    ATLoss,
    FeatureMSELoss,
    FitNetLoss,
    FSPLoss,
    MGDLoss,
    SemCKDLoss,
    SRRLLoss,
    WKDFeatureLoss,
)
from cls_kd.signals.shapes import SignalShapes

from .fabricate import SIZES, Sizes, fabricate


def normalize(mixed: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Batch normalization with batch statistics, ReLU; by hand."""
    mean = mixed.mean((0, 2, 3), keepdim=True)
    variance = mixed.var((0, 2, 3), unbiased=False, keepdim=True)
    scale = state["connector.1.weight"].view(1, -1, 1, 1)
    shift = state["connector.1.bias"].view(1, -1, 1, 1)
    return ((mixed - mean) / (variance + 1e-5).sqrt() * scale + shift).clamp_min(0)


def mix(feature: Tensor, state: dict[str, Tensor]) -> Tensor:
    """1x1 convolution, by hand."""
    return torch.einsum("nchw,dc->ndhw", feature, state["connector.0.weight"][:, :, 0, 0])


def connect(feature: Tensor, state: dict[str, Tensor]) -> Tensor:
    return normalize(mix(feature, state), state)


def enlarge(feature: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Transposed convolution 4x4, stride 2, padding 1: each pixel paints 4x4 pixels."""
    weight = state["connector.0.weight"]
    height, width = feature.shape[-2:]
    canvas = torch.zeros(len(feature), weight.shape[1], 2 * height + 2, 2 * width + 2)
    for y in range(height):
        for x in range(width):
            patch = torch.einsum("nc,cdij->ndij", feature[:, :, y, x], weight)
            canvas[:, :, 2 * y : 2 * y + 4, 2 * x : 2 * x + 4] += patch
    return canvas[:, :, 1:-1, 1:-1]


def fitnet(stage: int, sizes: Sizes = SIZES) -> tuple[FitNetLoss, dict[str, Tensor]]:
    loss = FitNetLoss(stage=stage)
    loss.build(sizes.facts())
    with torch.no_grad():
        loss.connector[1].weight.uniform_(0.5, 2)
        loss.connector[1].bias.uniform_(-1, 1)
    return loss, fabricate(loss.signals, sizes)


@pytest.mark.parametrize("stage", [0, 2, -1, -3])
def test_fitnet_by_hand(stage: int) -> None:
    loss, signals = fitnet(stage)
    student, teacher = signals["student_stages"][stage], signals["teacher_stages"][stage]
    expected = ((connect(student, loss.state_dict()) - teacher) ** 2).mean()
    torch.testing.assert_close(loss(**signals), expected)


def test_fitnet_enlarges_a_smaller_student_to_the_whole_map_of_the_teacher() -> None:
    loss, signals = fitnet(1)
    student, teacher = signals["student_stages"][1], signals["teacher_stages"][1]
    state = loss.state_dict()
    expected = ((normalize(enlarge(student, state), state) - teacher) ** 2).mean()
    assert teacher.shape[-1] == 2 * student.shape[-1]
    torch.testing.assert_close(loss(**signals), expected)


def test_fitnet_shrinks_a_larger_student_by_a_strided_convolution() -> None:
    loss, signals = fitnet(0, Sizes(stages={"student": ((3, 8, 8),), "teacher": ((5, 4, 4),)}))
    state = loss.state_dict()
    windows = F.unfold(signals["student_stages"][0], 3, padding=1, stride=2)
    mixed = (state["connector.0.weight"].flatten(1) @ windows).unflatten(-1, (4, 4))
    expected = ((normalize(mixed, state) - signals["teacher_stages"][0]) ** 2).mean()
    torch.testing.assert_close(loss(**signals), expected)


def test_fitnet_pools_a_teacher_that_is_four_times_as_large() -> None:
    loss, signals = fitnet(0, Sizes(stages={"student": ((3, 2, 2),), "teacher": ((5, 8, 8),)}))
    pooled = F.avg_pool2d(signals["teacher_stages"][0], 4)
    regressed = connect(signals["student_stages"][0], loss.state_dict())
    torch.testing.assert_close(loss(**signals), ((regressed - pooled) ** 2).mean())


@pytest.mark.parametrize("stage", [3, -4, 17])
def test_fitnet_says_how_many_stages_there_are(stage: int) -> None:
    with pytest.raises(UserError, match=rf"stage {stage} .* student has 3 stages"):
        FitNetLoss(stage=stage).build(SIZES.facts())


def test_fitnet_names_the_network_that_is_too_short() -> None:
    sizes = Sizes(stages={"student": ((3, 8, 8),) * 3, "teacher": ((3, 8, 8),) * 2})
    with pytest.raises(UserError, match="teacher has 2 stages"):
        FitNetLoss(stage=2).build(sizes.facts())


@pytest.mark.parametrize("loss", [FitNetLoss(), SRRLLoss()], ids=["FitNetLoss", "SRRLLoss"])
def test_a_loss_with_parts_must_be_built(loss: FitNetLoss | SRRLLoss) -> None:
    with pytest.raises(UserError, match=r"build\(shapes\)"):
        loss(**fabricate(loss.signals))


def test_srrl_by_hand() -> None:
    loss = SRRLLoss(alpha=2.0, beta=5.0)
    loss.build(SIZES.facts())
    signals = fabricate(loss.signals)
    feature = connect(signals["student_feature"], loss.state_dict())
    pooled, target = feature.mean((2, 3)), signals["teacher_feature"].mean((2, 3))
    logits = signals["teacher_classify"](feature)
    terms = loss(**signals)
    assert set(terms) == {"loss_feature", "loss_logits"}
    torch.testing.assert_close(terms["loss_feature"], 2 * ((pooled - target) ** 2).mean())
    expected = 5 * ((logits - signals["teacher_logits"]) ** 2).mean()
    torch.testing.assert_close(terms["loss_logits"], expected)


def test_srrl_s_connector_starts_as_its_authors() -> None:
    """jingyang2017/KD_SRRL@d2e802f: normal, deviation sqrt(2 / (k * k * width of the teacher))."""
    torch.manual_seed(0)
    loss = SRRLLoss()
    loss.build(Sizes(stages={"student": ((512, 2, 2),), "teacher": ((2048, 2, 2),)}).facts())
    weight = loss.connector[0].weight
    assert weight.std().item() == pytest.approx((2 / 2048) ** 0.5, rel=0.01)
    share = (weight.abs() > 2 * weight.std()).float().mean().item()
    assert share == pytest.approx(0.0455, abs=0.002), "of a normal distribution"


def test_srrl_accepts_maps_of_different_size() -> None:
    sizes = Sizes(stages={"student": ((3, 8, 8),), "teacher": ((5, 2, 2),)})
    loss = SRRLLoss()
    loss.build(sizes.facts())
    assert all(term.isfinite() for term in loss(**fabricate(loss.signals, sizes)).values())


def test_at_compares_the_stages_it_is_told() -> None:
    signals = fabricate(["student_stages", "teacher_stages"])
    every = ATLoss()(**signals)
    parts = [ATLoss(stages=(stage,))(**signals) for stage in (0, 1, -1)]
    torch.testing.assert_close(torch.stack(parts).sum(), every)


def test_at_refuses_unequal_numbers_of_stages() -> None:
    sizes = Sizes(stages={"student": ((3, 8, 8),) * 3, "teacher": ((3, 8, 8),) * 4})
    with pytest.raises(UserError, match="student has 3 stages and the teacher 4"):
        ATLoss().build(sizes.facts())
    with pytest.raises(UserError, match="student has 3 stages and the teacher 4"):
        ATLoss()(**fabricate(["student_stages", "teacher_stages"], sizes))
    with pytest.raises(UserError, match="student has 3 stages: 0 to 2"):
        ATLoss(stages=(3,)).build(sizes.facts())
    loss = ATLoss(stages=(-2, -1))
    loss.build(sizes.facts())
    assert loss(**fabricate(loss.signals, sizes)).isfinite()


def test_at_pairs_stages_as_it_is_told() -> None:
    sizes = Sizes(stages={"student": ((3, 8, 8), (3, 4, 4)), "teacher": ((3, 8, 8),) * 3})
    loss = ATLoss(stages=[(1, 0), (0, -1)])
    loss.build(sizes.facts())
    signals = fabricate(loss.signals, sizes)
    student, teacher = signals["student_stages"], signals["teacher_stages"]
    expected = sum(
        ATLoss()(student_stages=(student[ours],), teacher_stages=(teacher[theirs],))
        for ours, theirs in ((1, 0), (0, 2))
    )
    torch.testing.assert_close(loss(**signals), expected)
    with pytest.raises(UserError, match="teacher has 3 stages: 0 to 2"):
        ATLoss(stages=[(1, 3)]).build(sizes.facts())
    with pytest.raises(
        UserError, match=r"an index or a pair \(student, teacher\), not \(0, 1, 2\)"
    ):
        ATLoss(stages=[(0, 1, 2)]).build(sizes.facts())


def test_at_of_an_odd_power_keeps_signs() -> None:
    stages = fabricate(["student_stages"])["student_stages"]
    turned = tuple(-stage for stage in stages)
    odd = ATLoss(p=1)(student_stages=stages, teacher_stages=turned)
    even = ATLoss(p=2)(student_stages=stages, teacher_stages=turned)
    assert odd.item() > 1e-2
    assert even.item() == 0.0


def test_at_survives_a_dead_stage() -> None:
    dead = torch.zeros(2, 3, 4, 4, requires_grad=True)
    loss = ATLoss()(student_stages=(dead,), teacher_stages=(torch.ones(2, 5, 4, 4),))
    loss.backward()
    assert loss.isfinite()
    assert dead.grad.isfinite().all()


@pytest.mark.parametrize("widths", [(3, 5), (5, 5)], ids=["align", "equal"])
def test_mgd_by_hand(widths: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = Sizes(stages={"student": ((widths[0], 4, 4),), "teacher": ((widths[1], 4, 4),)})
    loss = MGDLoss(mask_ratio=0.4)
    loss.build(sizes.facts())
    signals = fabricate(loss.signals, sizes)
    student, teacher = signals["student_feature"], signals["teacher_feature"]
    drawn = torch.rand(4, 5)
    monkeypatch.setattr(torch, "rand", lambda *size, **options: drawn)
    if widths[0] != widths[1]:
        mixed = torch.einsum("nchw,dc->ndhw", student, loss.align.weight[:, :, 0, 0])
        student = mixed + loss.align.bias[:, None, None]
    expected = torch.tensor(0.0)
    for n in range(4):
        channels = [
            student[n, c] if drawn[n, c] >= 0.4 else torch.zeros(4, 4) for c in range(widths[1])
        ]
        first, _, second = loss.generator
        hidden = F.conv2d(torch.stack(channels)[None], first.weight, first.bias, padding=1)
        generated = F.conv2d(hidden.clamp_min(0), second.weight, second.bias, padding=1)
        expected = expected + ((generated[0] - teacher[n]) ** 2).sum() / 4
    torch.testing.assert_close(loss(**signals), expected)
    assert 0 < (drawn < 0.4).sum() < drawn.numel()


def test_mgd_drops_channels_at_the_rate_it_says() -> None:
    """Seen by the generator: whole channels are missing, of each sample others."""
    loss = MGDLoss(mask_ratio=0.15)
    sizes = Sizes(batch=64, stages={"student": ((100, 2, 2),), "teacher": ((100, 2, 2),)})
    loss.build(sizes.facts())
    seen: list[Tensor] = []
    loss.generator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    loss(**fabricate(loss.signals, sizes))
    missing = (seen[0] == 0).flatten(2)
    assert torch.equal(missing.all(2), missing.any(2))
    assert missing.float().mean().item() == pytest.approx(0.15, abs=0.02)
    assert not torch.equal(missing[0], missing[1])


def test_mgd_accepts_maps_of_different_size() -> None:
    sizes = Sizes(stages={"student": ((3, 8, 8),), "teacher": ((5, 4, 4),)})
    loss = MGDLoss()
    loss.build(sizes.facts())
    assert loss(**fabricate(loss.signals, sizes)).isfinite()
    with pytest.raises(UserError, match=r"build\(shapes\)"):
        MGDLoss()(**fabricate(loss.signals, sizes))


def test_a_signal_that_was_not_measured_is_named() -> None:
    with pytest.raises(UserError, match="student_feature"):
        SRRLLoss().build(SignalShapes({"student_logits": (5,)}, num_classes=5))


def test_semckd_of_a_smaller_and_of_a_larger_batch() -> None:
    """Zeros in place of the missing samples: what is learned of them does not matter."""
    loss = SemCKDLoss(batch_size=6, factor=2)
    loss.build(SIZES.facts())
    signals = fabricate(loss.signals)  # four samples
    expected = loss(**signals)
    with torch.no_grad():
        for embedding in [*loss.queries, *loss.keys]:
            embedding.linear1.weight[:, 4:] += 1
    assert loss(**signals).item() == pytest.approx(expected.item())
    with torch.no_grad():
        loss.queries[0].linear1.weight[:, :4] += 1
    assert loss(**signals).item() != pytest.approx(expected.item())
    with pytest.raises(
        UserError, match=r"up to 6 samples in a process; this one has 7\. Give batch"
    ):
        loss(**fabricate(loss.signals, Sizes(batch=7)))


def test_wkd_refuses_cells_without_a_deviation() -> None:
    with pytest.raises(
        UserError, match=r"grid=4 makes cells of a single position of the teacher's map of 4x4"
    ):
        WKDFeatureLoss(grid=4).build(SIZES.facts())


@pytest.mark.parametrize("bottleneck", [None, 2])
def test_wkd_at_the_size_of_the_teacher_by_hand(bottleneck: int | None) -> None:
    """Cells as of adaptive pooling: 4 along 7 positions begin at 0, 1, 3, 5 and overlap."""
    sizes = Sizes(stages={"student": ((3, 3, 3),), "teacher": ((5, 7, 7),)})
    loss = WKDFeatureLoss(mean_weight=2.0, grid=4, bottleneck=bottleneck)
    loss.build(sizes.facts())
    signals = fabricate(loss.signals, sizes)
    student = F.interpolate(
        loss.connector(signals["student_feature"]), size=(7, 7), mode="bilinear"
    )
    teacher, cells = signals["teacher_feature"], [(0, 2), (1, 4), (3, 6), (5, 7)]
    means = deviations = 0.0
    for sample in range(len(student)):
        for above, below in cells:
            for left, right in cells:
                for ours, theirs in zip(student[sample], teacher[sample], strict=True):
                    a, b = ours[above:below, left:right], theirs[above:below, left:right]
                    means += (a.mean() - b.mean()).square().item() / len(student) / 16
                    spread = (a.var() + 1e-5).sqrt() - (b.var() + 1e-5).sqrt()
                    deviations += spread.square().item() / len(student) / 16
    terms = loss(**signals)
    assert terms["loss_mean"].item() == pytest.approx(2 * means, rel=1e-4)
    assert terms["loss_deviation"].item() == pytest.approx(deviations, rel=1e-4)


@pytest.mark.parametrize("width", [3, 5], ids=["align", "equal"])
def test_feature_mse_by_hand(width: int) -> None:
    sizes = Sizes(stages={"student": ((width, 4, 4),), "teacher": ((5, 2, 2),)})
    loss = FeatureMSELoss()
    loss.build(sizes.facts())
    signals = fabricate(loss.signals, sizes)
    student, teacher = signals["student_feature"], signals["teacher_feature"]
    if width != 5:
        mixed = mix(student, loss.state_dict())
        deviation = mixed.var((0, 2, 3), unbiased=False, keepdim=True).add(1e-5).sqrt()
        student = (mixed - mixed.mean((0, 2, 3), keepdim=True)) / deviation
    expected = ((F.avg_pool2d(student, 2) - teacher) ** 2).mean()
    torch.testing.assert_close(loss(**signals), expected)


def test_stages_of_equal_width_need_no_connector() -> None:
    stages = {"student": ((3, 4, 4), (4, 2, 2)), "teacher": ((3, 4, 4), (5, 2, 2))}
    loss = FSPLoss()
    loss.build(Sizes(stages=stages).facts())
    assert [len(list(connector.parameters())) for connector in loss.connectors] == [0, 3]
    with pytest.raises(UserError, match="FSPLoss compares 2 stages or more; it was given 1"):
        FSPLoss(stages=(0,)).build(SIZES.facts())
