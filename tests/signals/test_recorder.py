"""The recorder hears only what was asked, only while it listens, and forgets all of it."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from types import MappingProxyType

import pytest
import torch
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.signals import NetworkSource, Recorder, Tap
from tests.distillers import tiny


class InPlace(nn.Module):
    """One ReLU, in place and used twice, as in the blocks of a ResNet."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 2, 3, padding=1)
        self.second = nn.Conv2d(2, 2, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(2, 10)

    def forward(self, images: Tensor) -> Tensor:
        x = self.relu(self.first(images))
        x = self.relu(self.second(x))
        return self.fc(x.mean((2, 3)))


@pytest.fixture
def network() -> InPlace:
    torch.manual_seed(0)
    return InPlace()


TAPS = {"preact": Tap("relu", "input"), "both": (Tap("first"), Tap("second")), "out": Tap("relu")}


def rehearsed(network: nn.Module) -> Recorder:
    recorder = Recorder(network, TAPS)
    with torch.no_grad(), recorder.finding_overwritten():
        network(tiny.images(1))
        recorder.take()
    return recorder


def test_nothing_is_kept_outside_recording(network: InPlace) -> None:
    recorder = rehearsed(network)
    network(tiny.images())
    with recorder.recording(), pytest.raises(UserError, match="did not run"):
        recorder.take()


def test_a_pass_is_forgotten_when_recording_ends(network: InPlace) -> None:
    recorder = rehearsed(network)
    with recorder.recording():
        network(tiny.images())
        seen = [weakref.ref(one) for one in (recorder.take()["preact"], *recorder.take()["both"])]
    gc.collect()
    assert all(one() is None for one in seen)


def test_a_pass_is_forgotten_after_an_error(network: InPlace) -> None:
    recorder = rehearsed(network)

    def fail() -> None:
        with recorder.recording():
            network(tiny.images())
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        fail()
    assert not recorder._seen
    assert not recorder._active


def test_what_an_in_place_relu_overwrites_is_cloned(network: InPlace) -> None:
    recorder = rehearsed(network)
    images = tiny.images(seed=3)
    with recorder.recording():
        network(images)
        seen = recorder.take()
    first = network.first(images)
    second = network.second(first.relu())
    assert torch.equal(seen["preact"], second)
    assert torch.equal(seen["out"], second.relu())
    assert torch.equal(seen["both"][0], first)
    assert torch.equal(seen["both"][1], second)
    assert (second < 0).any()


def test_only_what_is_overwritten_is_cloned(network: InPlace) -> None:
    recorder = rehearsed(network)
    assert recorder._overwritten == {("preact", 0), ("both", 0), ("both", 1)}


def test_a_cloned_value_carries_the_gradient(network: InPlace) -> None:
    recorder = rehearsed(network)
    with recorder.recording():
        network(tiny.images())
        recorder.take()["preact"].sum().backward()
    expected = copy.deepcopy(network)
    network.second.bias.grad = None
    expected.zero_grad()
    expected.second(expected.first(tiny.images()).relu()).sum().backward()
    assert torch.allclose(network.first.weight.grad, expected.first.weight.grad, rtol=1e-4)


def test_the_last_call_wins(network: InPlace) -> None:
    recorder = rehearsed(network)
    with recorder.recording():
        network(tiny.images(seed=1))
        network(tiny.images(seed=2))
        seen = recorder.take()["both"][0]
    assert torch.equal(seen, network.first(tiny.images(seed=2)))


def test_a_copy_of_the_network_does_not_write_into_the_original(network: InPlace) -> None:
    recorder = rehearsed(network)
    twin = copy.deepcopy(network)
    with recorder.recording():
        network(tiny.images(seed=1))
        twin(tiny.images(seed=2))
        seen = recorder.take()["both"][0]
    assert torch.equal(seen, network.first(tiny.images(seed=1)))


def test_a_copy_of_a_source_listens_to_its_own_network() -> None:
    source = NetworkSource("student", tiny.build(tiny.digits_cnn()), ["student_stages"])
    twin = copy.deepcopy(source)
    with torch.no_grad():
        for one in twin.network.parameters():
            one.mul_(2)
    images = tiny.images()
    before, after = source.run(images), twin.run(images)
    assert twin.network is not source.network
    first = twin.network.backbone.stage1(images)
    assert torch.equal(after["student_stages"][0], first)
    assert not torch.equal(before["student_stages"][0], first)


def test_a_tapped_network_can_be_pickled(network: InPlace) -> None:
    rehearsed(network)
    twin = pickle.loads(pickle.dumps(network))
    assert torch.equal(twin(tiny.images()), network(tiny.images()))


def test_only_what_is_asked_is_hooked() -> None:
    network = tiny.build(tiny.digits_cnn())
    NetworkSource("student", network, ["student_logits", "student_classify", "labels"])
    assert not hooked(network)
    NetworkSource("student", network, ["student_stages", "teacher_feature"])
    assert hooked(network) == {"backbone.stage1", "backbone.stage2", "backbone.stage3"}


def hooked(network: nn.Module) -> set[str]:
    return {
        name
        for name, module in network.named_modules()
        if module._forward_hooks or module._forward_pre_hooks
    }


def test_nothing_of_a_pass_stays_alive() -> None:
    network = tiny.build(tiny.digits_cnn())
    source = NetworkSource("student", network, ["student_stages", "student_preacts"])
    source.measure(tiny.images(1))
    seen = source.run(tiny.images())
    kept = [weakref.ref(one) for one in (*seen["student_stages"], *seen["student_preacts"])]
    del seen
    gc.collect()
    assert all(one() is None for one in kept)


def test_a_module_that_does_not_run_is_named() -> None:
    network = InPlace()
    network.spare = nn.Conv2d(1, 1, 1)
    source = NetworkSource("student", network, ["student_feature"], {"feature": "spare"})
    with pytest.raises(UserError, match=r"'spare'.*'student_feature'.*did not run"):
        source.measure(tiny.images(1))


def test_measuring_leaves_the_network_as_it_was() -> None:
    network = tiny.build(tiny.digits_cnn(dropout=0.5)).train()
    before = copy.deepcopy(network.state_dict())
    NetworkSource("student", network, ["student_stages"]).measure(tiny.images(1))
    assert network.training
    assert network.backbone.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_a_network_must_give_logits() -> None:
    network = nn.Conv2d(1, 2, 3)
    with pytest.raises(UserError, match=r"must give logits \(N, K\).*\(1, 2, 6, 6\)"):
        NetworkSource("teacher", network, ["teacher_logits"]).measure(tiny.images(1))


class InPlaceInTraining(nn.Module):
    """Its dropout overwrites what is tapped, in training mode only."""

    taps = MappingProxyType({"embedding": "first"})

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(64, 32)
        self.dropout = nn.Dropout(0.9, inplace=True)
        self.norm = nn.BatchNorm1d(32)
        self.fc = nn.Linear(32, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.norm(self.dropout(self.first(images.flatten(1)))))


def test_what_is_overwritten_in_training_only_is_cloned_too() -> None:
    network = InPlaceInTraining().train()
    before = copy.deepcopy(network.state_dict())
    state = torch.get_rng_state()
    source = NetworkSource("student", network, ["student_embedding"])
    source.measure(tiny.images(1))

    assert network.training
    assert torch.equal(torch.get_rng_state(), state), "the rehearsal draws from a copy"
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    images = tiny.images()
    assert torch.equal(source.run(images)["student_embedding"], network.first(images.flatten(1)))
