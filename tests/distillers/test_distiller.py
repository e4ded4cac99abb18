"""The distiller is a straight pipe: what it asks, what it sums, what it refuses."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from torch import Tensor, nn

from cls_kd.core import Term
from cls_kd.distillers import Distiller, Teacher
from cls_kd.engine.compat import CPUAmpOptimWrapper
from cls_kd.errors import UserError
from cls_kd.losses import ATLoss, CRDLoss, DistillLoss, FitNetLoss, KDLoss, SRRLLoss, TaskLoss
from tests.distillers import tiny
from tests.signals.test_recorder import hooked

CE = dict(type=TaskLoss)
KD = dict(type=KDLoss)


class Probe(DistillLoss):
    """Keeps the teacher's logits that it was given."""

    def forward(self, student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
        self.student, self.seen = student_logits, teacher_logits
        return student_logits.mean() * 0


class Figures(DistillLoss):
    def forward(self, student_logits: Tensor) -> dict[str, Tensor]:
        value = student_logits.square().mean()
        return {"loss_a": value, "loss_b": 2 * value, "norm": 100 * value}


class Counting(nn.Module):
    """A network that counts its passes."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = tiny.build(tiny.digits_cnn())
        self.passes = 0

    def forward(self, images: Tensor) -> Tensor:
        self.passes += 1
        return self.inner(images)


# --- what is summed and logged ---


def test_losses_are_weighted_and_summed() -> None:
    model = tiny.distiller(
        {"ce": CE, "fig": Term(Figures(), weight=0.5), "kd": KD}, teacher=tiny.teacher()
    )
    inputs, samples = tiny.batch()
    terms = model(inputs, samples, mode="loss")
    assert set(terms) == {"ce.loss", "fig.loss_a", "fig.loss_b", "fig.norm", "kd.loss"}
    square = model.student(inputs).square().mean()
    assert torch.isclose(terms["fig.loss_a"], 0.5 * square)
    assert torch.isclose(terms["fig.loss_b"], square)
    assert torch.isclose(terms["fig.norm"], 100 * square)
    assert not terms["fig.norm"].requires_grad
    total, logged = model.parse_losses(terms)
    assert torch.isclose(total, terms["ce.loss"] + 1.5 * square + terms["kd.loss"])
    assert torch.isclose(logged["fig.norm"], 100 * square)


@pytest.mark.parametrize(("step", "weight"), [(0, 0.0), (5, 1.0), (10, 2.0), (19, 2.0)])
def test_weights_follow_the_training_time(step: int, weight: float) -> None:
    schedule = dict(type="LinearWarmup", until=0.5, value=2.0)
    model = tiny.distiller({"ce": CE, "fig": Term(Figures(), weight=schedule)})
    model.time.step, model.time.max_steps = step, 20
    inputs, samples = tiny.batch()
    terms = model(inputs, samples, mode="loss")
    square = model.student(inputs).square().mean()
    assert torch.isclose(terms["fig.loss_a"], weight * square)
    assert torch.isclose(terms["fig.norm"], 100 * square)


def test_a_warmup_by_epochs_counts_those_of_the_runner() -> None:
    """In the second of 40 epochs, 20 of them warm: 2/20, whatever the step."""
    weight = dict(type="EpochWarmup", until=0.5, value=4.0)
    model = tiny.distiller({"ce": CE, "fig": Term(Figures(), weight)})
    inputs, samples = tiny.batch()
    for step in (10, 19):
        model.time.step, model.time.max_steps = step, 400
        model.time.epoch, model.time.max_epochs = 1, 40
        terms = model(inputs, samples, mode="loss")
        square = model.student(inputs).square().mean()
        assert torch.isclose(terms["fig.loss_b"], 0.4 * 2 * square)


def test_a_weight_of_zero_still_gives_every_parameter_a_gradient() -> None:
    model = tiny.distiller(
        {"ce": CE, "fit": dict(type=FitNetLoss, weight=0.0)}, teacher=tiny.teacher()
    )
    tiny.step(model, tiny.data())
    assert all(one.grad is not None for one in model.parameters())


def test_validation_and_prediction_see_the_student_only() -> None:
    teacher = Counting()
    model = tiny.distiller(
        {"ce": CE, "kd": KD}, teacher=dict(network=teacher, weights="random")
    ).eval()
    before = teacher.passes
    samples = model.val_step(tiny.data())
    inputs = model.data_preprocessor(tiny.data())["inputs"]
    expected = model.student(inputs).argmax(1)
    assert [int(one.pred_label) for one in samples] == expected.tolist()
    assert torch.equal(model(inputs), model.student(inputs))
    assert teacher.passes == before


# --- who is asked what ---


def test_a_teacher_of_whom_nothing_is_asked_never_runs() -> None:
    teacher = Counting()
    model = tiny.distiller({"ce": CE}, teacher=dict(network=teacher, weights="random"))
    tiny.step(model, tiny.data())
    assert teacher.passes == 0
    assert any("never runs" in note for note in model.notes)


def test_a_teacher_runs_once_a_step_for_all_losses() -> None:
    teacher = Counting()
    losses = {"ce": CE, "kd": KD, "probe": Probe(), "other": Probe()}
    model = tiny.distiller(losses, teacher=dict(network=teacher, weights="random"))
    before = teacher.passes
    tiny.step(model, tiny.data())
    assert teacher.passes == before + 1


def test_only_what_is_asked_is_hooked() -> None:
    losses = {"ce": CE, "kd": KD}
    model = tiny.distiller(losses, teacher=tiny.teacher())
    assert not hooked(model.student)
    assert not hooked(model.teachers[0].network)
    model = tiny.distiller({"ce": CE, "fit": dict(type=FitNetLoss)}, teacher=tiny.teacher())
    assert hooked(model.student) == hooked(model.teachers[0].network) == {"backbone.stage2"}
    model = tiny.distiller({"ce": CE, "at": dict(type=ATLoss)}, teacher=tiny.teacher())
    expected = {f"backbone.stage{number}" for number in (1, 2, 3)}
    assert hooked(model.student) == hooked(model.teachers[0].network) == expected


def test_taps_of_the_config_are_used() -> None:
    class Sees(DistillLoss):
        def forward(self, student_feature: Tensor, teacher_feature: Tensor) -> Tensor:
            self.shapes = student_feature.shape, teacher_feature.shape
            return student_feature.mean()

    model = tiny.distiller(
        {"sees": Sees()},
        student_taps={"feature": "backbone.stage1"},
        teacher=tiny.teacher(taps={"feature": "backbone.stage2.norm"}),
    )
    tiny.step(model, tiny.data(4))
    assert model.losses["sees"].shapes == ((4, 4, 8, 8), (4, 6, 4, 4))


# --- the teacher ---


def test_the_teacher_stays_in_eval_mode_and_unchanged() -> None:
    network = tiny.build(tiny.digits_cnn(widths=(6, 6, 12), dropout=0.5)).train()
    model = tiny.distiller(
        {"ce": CE, "p": Probe()}, teacher=dict(network=network, weights="random")
    )
    probe, one = model.losses["p"], model.teachers[0]
    before = one.digest(), copy.deepcopy(network.state_dict())
    seen = []
    for _ in range(2):
        model.train()
        one.train()
        network.train()  # even where somebody reaches into it
        tiny.step(model, tiny.data(8))
        assert not any(module.training for module in network.modules())
        seen.append(probe.seen)
    assert torch.equal(*seen)
    assert not probe.seen.requires_grad
    assert one.digest() == before[0]
    assert all(torch.equal(before[1][key], value) for key, value in network.state_dict().items())


def test_the_digest_sees_every_bit() -> None:
    teacher = Teacher(tiny.digits_cnn(), "random")
    before = teacher.digest()
    teacher.network.backbone.stage1.norm.running_mean[0] += 1e-7
    assert teacher.digest() != before


def test_the_teacher_is_no_part_of_the_distiller() -> None:
    model = tiny.distiller({"ce": CE, "kd": KD}, teacher=tiny.teacher())
    with_teacher = set(model.state_dict())
    alone = tiny.distiller({"ce": CE})
    assert with_teacher == set(alone.state_dict())
    ids = {id(one) for one in model.parameters()}
    assert not ids & {id(one) for one in model.teachers[0].parameters()}
    assert not any(isinstance(module, Teacher) for module in model.modules())


def test_the_teacher_moves_with_the_distiller() -> None:
    model = tiny.distiller({"ce": CE, "kd": KD}, teacher=tiny.teacher(data_preprocessor=OTHER))
    model.to("meta")
    assert {one.device.type for one in model.teachers[0].parameters()} == {"meta"}
    assert model.teachers[0].scale.device.type == "meta"


OTHER = dict(mean=[10.0], std=[20.0])


def test_an_average_of_the_distiller_shares_the_teacher() -> None:
    model = tiny.distiller({"ce": CE, "kd": KD}, teacher=tiny.teacher())
    average = ExponentialMovingAverage(model, momentum=0.5)
    assert average.module.teachers[0] is model.teachers[0]
    assert average.module.student is not model.student
    expected = {f"module.{key}" for key in model.state_dict()} | {"steps"}
    assert set(average.state_dict()) == expected
    tiny.step(model, tiny.data())
    average.update_parameters(model)
    tiny.step(model, tiny.data())
    inputs = tiny.images()
    assert not torch.equal(average(inputs), model(inputs))


def test_a_copy_of_the_distiller_can_be_trained_on() -> None:
    losses = {"ce": CE, "srrl": dict(type=SRRLLoss), "at": dict(type=ATLoss)}
    model = tiny.distiller(losses, teacher=tiny.teacher())
    twin = copy.deepcopy(model)
    first, second = tiny.step(model, tiny.data()), tiny.step(twin, tiny.data())
    assert all(torch.equal(value, second[key]) for key, value in first.items())
    assert all(torch.equal(v, twin.state_dict()[k]) for k, v in model.state_dict().items())


# --- several teachers ---


def two_teachers(**losses: Any) -> Distiller:
    teachers = [
        tiny.teacher(name="big", data_preprocessor=dict(mean=[10.0], std=[20.0])),
        tiny.teacher(network=tiny.digits_cnn(widths=(3, 5, 7)), name="small"),
    ]
    preprocessor = dict(mean=[128.0], std=[60.0])
    return tiny.distiller(losses, teacher=teachers, data_preprocessor=preprocessor)


def test_the_logits_of_two_teachers_are_averaged() -> None:
    model = two_teachers(probe=Probe())
    tiny.step(model, tiny.data())
    inputs = model.data_preprocessor(tiny.data())["inputs"]
    first, second = (one.network(one.normalize_inputs(inputs)) for one in model.teachers)
    assert torch.allclose(model.losses["probe"].seen, (first + second) / 2)


def test_a_loss_listens_to_the_teacher_that_it_names() -> None:
    model = two_teachers(
        zero=Term(Probe(), teacher=0),
        one=Term(Probe(), teacher=1),
        big=Term(Probe(), teacher="big"),
        small=Term(Probe(), teacher="small"),
        fit=Term(FitNetLoss(), teacher="small"),
    )
    tiny.step(model, tiny.data())
    raw = torch.stack(tiny.data()["inputs"]).float()
    seen = {name: loss.seen for name, loss in model.losses.items() if name != "fit"}
    expected = [
        model.teachers[0].network((raw - 10) / 20),
        model.teachers[1].network((raw - 128) / 60),
    ]
    assert torch.allclose(seen["zero"], expected[0], atol=1e-4)
    assert torch.allclose(seen["one"], expected[1], atol=1e-4)
    assert torch.equal(seen["zero"], seen["big"])
    assert torch.equal(seen["one"], seen["small"])
    assert not torch.allclose(seen["one"], seen["zero"])
    assert not hooked(model.teachers[0].network)
    assert hooked(model.teachers[1].network)


def test_one_teacher_of_two_may_have_other_classes_if_nobody_asks_it() -> None:
    teachers = [tiny.teacher(), tiny.teacher(network=tiny.digits_cnn(classes=3))]
    model = tiny.distiller({"kd": Term(KDLoss(), teacher=0)}, teacher=teachers)
    assert torch.isfinite(tiny.step(model, tiny.data())["loss"])


# --- half precision ---


def test_losses_compute_in_float32_under_bfloat16() -> None:
    class Sees(DistillLoss):
        def forward(
            self, student_logits: Tensor, teacher_logits: Tensor, student_stages: tuple[Tensor, ...]
        ) -> Tensor:
            self.types = {student_logits.dtype, teacher_logits.dtype, student_stages[0].dtype}
            self.product = (student_logits @ teacher_logits.t()).dtype
            return student_logits.mean()

    losses = {"ce": CE, "kd": KD, "srrl": dict(type=SRRLLoss), "sees": Sees()}
    model = tiny.distiller(losses, teacher=tiny.teacher())
    outside = {}
    model.student.head.register_forward_hook(lambda _, i, out: outside.update(dtype=out.dtype))
    wrapper = CPUAmpOptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    values = model.train_step(tiny.data(), tiny.keeping_gradients(wrapper))
    assert all(torch.isfinite(value) and value.dtype == torch.float32 for value in values.values())
    assert outside["dtype"] == torch.bfloat16
    assert model.losses["sees"].types == {torch.float32}
    assert model.losses["sees"].product == torch.float32
    assert all(torch.isfinite(one.grad).all() for one in model.parameters())
    assert {one.dtype for one in model.parameters()} == {torch.float32}


def test_bfloat16_is_close_to_float32() -> None:
    def values(amp: bool) -> dict[str, Tensor]:
        model = tiny.distiller({"ce": CE, "kd": KD}, teacher=tiny.teacher())
        inputs, samples = tiny.batch()
        with torch.autocast("cpu", torch.bfloat16, enabled=amp):
            return model(inputs, samples, mode="loss")

    half, full = values(True), values(False)
    assert all(torch.allclose(half[key], full[key], rtol=0.05, atol=0.02) for key in full)


# --- compilation ---


@pytest.mark.slow
def test_compiled_networks_give_the_same_losses() -> None:
    def three_steps(compiled: bool) -> list[dict[str, Tensor]]:
        losses = {"ce": CE, "kd": KD, "at": dict(type=ATLoss, weight=1.0)}
        model = tiny.distiller(losses, teacher=tiny.teacher())
        if compiled:
            model.compile_networks(backend="aot_eager")
        return [tiny.step(model, tiny.data(seed=number)) for number in range(3)]

    for eager, fast in zip(three_steps(False), three_steps(True), strict=True):
        assert all(torch.allclose(fast[key], eager[key], rtol=1e-4, atol=1e-6) for key in eager)


# --- what is refused ---


@pytest.mark.parametrize(
    ("losses", "options", "message"),
    [
        ({}, {}, "no loss"),
        ({"ce": CE, "kd": KD}, {}, r"'kd' asks for 'teacher_logits', and there is no teacher"),
        (
            {"ce": CE, "kd": KD},
            {"teacher": {"network": tiny.digits_cnn()}},
            "teacher has no weights.*'pretrained'.*'random'",
        ),
        (
            {"ce": CE, "kd": KD},
            {"teacher": tiny.teacher(network=tiny.digits_cnn(classes=7))},
            "Teacher 0 has 7 classes, the student has 10",
        ),
        ({"x": {"type": "KDLos"}}, {}, "'x' has the unknown type 'KDLos'.*'KDLoss'"),
        ({"x": {"type": "cls_kd.losses.KDLos"}}, {}, "unknown type.*'KDLoss'"),
        ({"x": {"type": "nowhere.at.all"}}, {}, "unknown type"),
        ({"x": {"temperature": 2}}, {}, "'x' says no type"),
        ({"x": {"type": KDLoss, "tau": 4}}, {}, "'x' cannot be built.*tau"),
        (
            {"x": {"type": nn.CrossEntropyLoss}},
            {},
            "'x' is a CrossEntropyLoss, which is no DistillLoss",
        ),
        ({"ce": CE}, {"input_shape": None}, r"input_shape=\(3, H, W\)"),
        ({"kd_loss": CE}, {}, "'kd_loss'.*without the word 'loss'"),
        ({"a.b": CE}, {}, "'a.b'.*dot"),
        ({"items": CE}, {}, "cannot be named 'items'"),
        (
            {"fit": dict(type=FitNetLoss)},
            {"teacher": [tiny.teacher(), tiny.teacher()]},
            r"'fit' asks for 'teacher_stages' of 2 teachers.*teacher=0",
        ),
        (
            {"kd": Term(KDLoss(), teacher="big")},
            {"teacher": [tiny.teacher(name="huge"), tiny.teacher(name="small")]},
            "wants teacher 'big'; there are 2: huge, small",
        ),
        (
            {"kd": Term(KDLoss(), teacher=2)},
            {"teacher": tiny.teacher()},
            "wants teacher 2; there are 1",
        ),
        ({"kd": Term(KDLoss(), teacher=-1)}, {"teacher": tiny.teacher()}, "wants teacher -1"),
        ({"ce": CE}, {"student": "resnet18_8xb32_in1"}, "no model.*'resnet18_8xb32_in1k'"),
        ({"ce": CE}, {"student": "timm:resnet18x"}, "timm .* has no model 'resnet18x'.*'resnet18'"),
        (
            {"crd": dict(type=CRDLoss)},
            {"teacher": tiny.teacher(), "num_samples": None},
            "length of the training set",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_words(
    losses: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        tiny.distiller(losses, **options)


def test_an_unknown_signal_is_refused_with_near_ones() -> None:
    class Asks(DistillLoss):
        def forward(self, student_logit: Tensor) -> Tensor:
            return student_logit

    with pytest.raises(UserError, match=r"'asks' \(Asks\) asks.*'student_logit'.*'student_logits'"):
        tiny.distiller({"asks": Asks()})


def test_a_loss_must_name_its_signals() -> None:
    class Greedy(DistillLoss):
        def forward(self, **signals: Tensor) -> Tensor:
            return signals["student_logits"]

    with pytest.raises(UserError, match=r"Greedy.forward takes \*\*signals"):
        tiny.distiller({"greedy": Greedy()})


def test_a_loss_must_return_a_loss() -> None:
    class Silent(DistillLoss):
        def forward(self, student_logits: Tensor) -> dict[str, Tensor]:
            return {"norm": student_logits.norm()}

    model = tiny.distiller({"silent": Silent()})
    with pytest.raises(UserError, match="'silent' returned norm: no key holds 'loss'"):
        model(*tiny.batch(), mode="loss")
