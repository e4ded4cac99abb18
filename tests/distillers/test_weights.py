"""Weights come from many kinds of files, fit exactly or not at all, and never run code."""

from __future__ import annotations

import copy
import io
import itertools
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmpretrain.apis import ModelHub
from mmpretrain.models import TimmClassifier
from safetensors.torch import save_file
from torch import nn

from cls_kd.distillers import Teacher
from cls_kd.distillers.checkpoints import read_checkpoint, weights_in
from cls_kd.distillers.networks import build_network, build_with_weights
from cls_kd.distillers.weights import load_weights
from cls_kd.errors import UserError
from tests.distillers import tiny

NETWORK = tiny.digits_cnn(widths=(3, 4, 5))


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(3)
    built = tiny.build(NETWORK)
    built(tiny.images(8))  # batch statistics that are not the initial ones
    return built


_HUBS = itertools.count()


def same(one: nn.Module, other: nn.Module) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def mmengine_checkpoint(state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """As MMEngine's runner writes it."""
    hub = MessageHub.get_instance(f"of_a_checkpoint_{next(_HUBS)}")
    for value in (1.0, 0.5, 0.25):
        hub.update_scalar("train/loss", value)
    hub.update_scalar("val/accuracy", np.float64(71.5))
    hub.update_info("epoch", 3)
    hub.update_info("keep_ckpt_ids", [2, 3])
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    return {
        "meta": {"epoch": 3, "iter": 30, "dataset_meta": {"classes": ("zero", "one")}},
        "state_dict": state,
        "message_hub": hub.state_dict(),
        "optimizer": optimizer.state_dict(),
        "param_schedulers": [{"last_step": 3}],
    }


def prefixed(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {f"{prefix}{key}": value for key, value in state.items()}


FORMATS: dict[str, Callable[[dict[str, torch.Tensor]], Any]] = {
    "plain state dict": lambda state: state,
    "mmpretrain": mmengine_checkpoint,
    "ours": lambda state: mmengine_checkpoint(
        {**prefixed(state, "student."), "losses.fit.connector.weight": torch.ones(2)}
    ),
    "model": lambda state: {"model": state, "epoch": 7, "args": {"lr": 0.1}},
    "DDP": lambda state: {"state_dict": prefixed(state, "module.")},
    "DDP of ours": lambda state: prefixed(state, "module.student."),
}


@pytest.mark.parametrize("kind", FORMATS)
def test_a_teacher_of_every_format(kind: str, network: nn.Module, tmp_path: Path) -> None:
    torch.save(FORMATS[kind](network.state_dict()), tmp_path / "weights.pth")
    teacher = Teacher(NETWORK, str(tmp_path / "weights.pth"))
    assert same(teacher.network, network)
    assert "weights.pth" in teacher.note
    images = tiny.images()
    assert torch.equal(teacher.network(images), network.eval()(images))


@pytest.mark.parametrize("prefix", ["", "student."])
def test_safetensors(prefix: str, network: nn.Module, tmp_path: Path) -> None:
    save_file(prefixed(network.state_dict(), prefix), tmp_path / "weights.safetensors")
    assert same(Teacher(NETWORK, str(tmp_path / "weights.safetensors")).network, network)


def test_a_student_starts_from_weights_that_initialization_leaves_alone(
    network: nn.Module, tmp_path: Path
) -> None:
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    model = tiny.distiller(
        {"ce": dict(type="TaskLoss")},
        student=NETWORK,
        student_weights=str(tmp_path / "weights.pth"),
    )
    model.init_weights()
    assert same(model.student, network)
    assert any("weights.pth" in note for note in model.notes)


def test_without_weights_a_student_is_initialized() -> None:
    model = tiny.distiller({"ce": dict(type="TaskLoss")}, student=NETWORK)
    assert model.student.head.fc.weight.std() < 0.02  # as LinearClsHead says


# --- names of others ---


def test_a_name_of_mmpretrains_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "mobilenet-v2_8xb32_in1k"
    torch.manual_seed(0)
    published = build_network(name)
    torch.save(mmengine_checkpoint(published.state_dict()), tmp_path / "published.pth")
    info = copy.copy(ModelHub.get(name))
    info.weights = str(tmp_path / "published.pth")
    monkeypatch.setattr(ModelHub, "get", classmethod(lambda cls, _: copy.deepcopy(info)))
    loaded, note = build_with_weights(name, "pretrained")
    assert same(loaded, published)
    assert "published.pth" in note
    teacher = Teacher(name, "pretrained")
    assert teacher.normalization["to_rgb"] is True
    assert teacher.normalization["mean"] == pytest.approx([123.675, 116.28, 103.53])


def test_an_address(network: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(url: str, target: str, *_: Any) -> None:
        assert url == "https://example.org/weights.pth"
        torch.save(mmengine_checkpoint(network.state_dict()), target)

    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    assert same(Teacher(NETWORK, "https://example.org/weights.pth").network, network)


@pytest.fixture
def timm_file(tmp_path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """A network of timm's, and the options that make its 'published' weights a local file."""
    torch.manual_seed(5)
    published = timm.create_model("test_resnet")
    save_file(published.state_dict(), tmp_path / "timm.safetensors")
    overlay = dict(file=str(tmp_path / "timm.safetensors"), custom_load=False)
    return published, dict(pretrained_cfg_overlay=overlay)


def test_published_weights_of_timm(timm_file: tuple[nn.Module, dict[str, Any]]) -> None:
    published, options = timm_file
    network = dict(type=TimmClassifier, model_name="test_resnet", **options)
    teacher = Teacher(network, "pretrained")
    assert same(teacher.network.model, published)
    mean = published.pretrained_cfg["mean"]
    assert teacher.normalization["mean"] == pytest.approx([255 * one for one in mean])
    assert teacher.normalization["to_rgb"] is True


@pytest.mark.parametrize("way", ["student_weights", "pretrained"])
def test_initialization_does_not_wipe_out_timms_weights(
    way: str, timm_file: tuple[nn.Module, dict[str, Any]]
) -> None:
    published, options = timm_file
    network = dict(type=TimmClassifier, model_name="test_resnet", **options)
    extra = {"student_weights": "pretrained"} if way == "student_weights" else {}
    if not extra:
        network["pretrained"] = True
    model = tiny.distiller(
        {"ce": dict(type="TaskLoss")},
        student=network,
        channels=3,
        input_shape=(3, 32, 32),
        **extra,
    )
    model.init_weights()
    assert same(model.student.model, published)


def test_a_timm_student_is_resumed_and_becomes_a_teacher(tmp_path: Path) -> None:
    network = dict(type=TimmClassifier, model_name="test_resnet", num_classes=10)
    model, other = (
        tiny.distiller(
            {"ce": dict(type="TaskLoss")},
            student=network,
            channels=3,
            input_shape=(3, 32, 32),
            seed=seed,
        )
        for seed in (0, 1)
    )
    assert "student.fc.weight" in model.state_dict()
    other.load_state_dict(model.state_dict())
    assert same(other, model)
    torch.save(mmengine_checkpoint(model.state_dict()), tmp_path / "epoch_1.pth")
    assert same(Teacher(network, str(tmp_path / "epoch_1.pth")).network, model.student)


def test_published_weights_need_a_name() -> None:
    with pytest.raises(UserError, match="needs a network given by name"):
        Teacher(NETWORK, "pretrained")


# --- what does not fit ---


def test_a_classifier_for_other_classes_can_be_dropped(network: nn.Module, tmp_path: Path) -> None:
    torch.save(network.state_dict(), tmp_path / "ten.pth")
    source = str(tmp_path / "ten.pth")
    seven = tiny.digits_cnn(widths=(3, 4, 5), classes=7)
    with pytest.raises(UserError, match=r"head.fc.weight \(10, 5\) instead of \(7, 5\).*") as info:
        build_with_weights(seven, source)
    assert "drop_classifier=True" in str(info.value)
    built, note = build_with_weights(seven, dict(source=source, drop_classifier=True))
    assert torch.equal(built.backbone.stage1.conv.weight, network.backbone.stage1.conv.weight)
    assert built.head.fc.weight.shape == (7, 5)
    assert "head.fc.bias" in note
    before = copy.deepcopy(built.state_dict())
    built.init_weights()
    assert all(torch.equal(before[key], value) for key, value in built.state_dict().items())


def test_a_timm_classifier_can_be_dropped(tmp_path: Path) -> None:
    source = TimmClassifier("test_resnet", num_classes=10)
    torch.save(source.state_dict(), tmp_path / "ten.pth")
    config = dict(type=TimmClassifier, model_name="test_resnet", num_classes=3)
    built, note = build_with_weights(
        config, dict(source=str(tmp_path / "ten.pth"), drop_classifier=True)
    )
    assert torch.equal(built.model.conv1[0].weight, source.model.conv1[0].weight)
    assert built.model.fc.out_features == 3
    assert "fc.weight" in note


def changed(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    state = {key: value + 1 if value.is_floating_point() else value for key, value in state.items()}
    del state["head.fc.bias"]
    state["head.extra"] = torch.ones(1)
    state["backbone.stage1.conv.weight"] = torch.ones(9, 1, 3, 3)
    return state


def test_a_mismatch_names_keys_and_changes_nothing(network: nn.Module, tmp_path: Path) -> None:
    torch.save(changed(network.state_dict()), tmp_path / "wrong.pth")
    before = copy.deepcopy(network.state_dict())
    with pytest.raises(UserError) as info:
        load_weights(network, str(tmp_path / "wrong.pth"))
    message = str(info.value)
    assert "backbone.stage1.conv.weight (9, 1, 3, 3) instead of (3, 1, 3, 3)" in message
    assert "not in the checkpoint: head.fc.bias" in message
    assert "only in the checkpoint: head.extra" in message
    assert "ImageClassifier(DigitsCNN)" in message
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_another_architecture_is_refused(network: nn.Module, tmp_path: Path) -> None:
    torch.save(tiny.build(tiny.resnet_cifar()).state_dict(), tmp_path / "resnet.pth")
    with pytest.raises(UserError, match="does not fit") as info:
        load_weights(network, str(tmp_path / "resnet.pth"))
    assert " more" in str(info.value)
    assert len(str(info.value)) < 1200


def test_a_missing_file_lists_its_neighbors(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "epoch_9.pth")
    with pytest.raises(UserError, match=r"does not exist.*epoch_9.pth"):
        read_checkpoint(tmp_path / "epoch_10.pth")
    with pytest.raises(UserError, match="there is no folder"):
        read_checkpoint(tmp_path / "nowhere" / "epoch_10.pth")


@pytest.mark.parametrize("content", [{}, {"meta": {"epoch": 1}}, {"state_dict": {}}])
def test_a_file_without_weights_is_refused(content: dict[str, Any], tmp_path: Path) -> None:
    torch.save(content, tmp_path / "empty.pth")
    with pytest.raises(UserError, match="holds no weights"):
        Teacher(NETWORK, str(tmp_path / "empty.pth"))


@pytest.mark.parametrize("content", [[torch.ones(1)], torch.ones(3), "text"])
def test_a_file_that_is_no_dict_is_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(UserError, match="not weights"):
        read_checkpoint(tmp_path / "other.pth")


# --- damaged and hostile files ---


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_cut_short_is_refused(
    share: float, suffix: str, network: nn.Module, tmp_path: Path
) -> None:
    path = tmp_path / f"weights{suffix}"
    save = save_file if suffix == ".safetensors" else torch.save
    save(network.state_dict(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UserError, match=r"cannot be read|refused"):
        read_checkpoint(path)


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = str(marker)

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (self.marker, "w"))


class Evaluates(Hostile):
    def __reduce__(self) -> tuple[Any, ...]:
        return (eval, (f"open({self.marker!r}, 'w')",))


class Reaches(Hostile):
    """Through the one function that MMEngine's log history needs."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (getattr, (HistoryBuffer, "__init__"))


@pytest.mark.parametrize("kind", [Hostile, Evaluates, Reaches])
@pytest.mark.parametrize("old_format", [False, True])
def test_a_hostile_file_is_refused_and_nothing_of_it_runs(
    kind: type[Hostile], old_format: bool, network: nn.Module, tmp_path: Path
) -> None:
    marker = tmp_path / "it_ran"
    checkpoint = {"state_dict": network.state_dict(), "meta": {"note": kind(marker)}}
    torch.save(checkpoint, tmp_path / "hostile.pth", _use_new_zipfile_serialization=not old_format)
    with pytest.raises(UserError, match=r"refused.*Nothing of it was run"):
        Teacher(NETWORK, str(tmp_path / "hostile.pth"))
    assert not marker.exists()


def test_a_bare_hostile_pickle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bare.pth").write_bytes(pickle.dumps({"state_dict": Hostile(tmp_path / "it_ran")}))
    with pytest.raises(UserError, match=r"refused|cannot be read"):
        read_checkpoint(tmp_path / "bare.pth")
    assert not (tmp_path / "it_ran").exists()


def test_the_log_history_of_mmengine_is_read(network: nn.Module, tmp_path: Path) -> None:
    written = mmengine_checkpoint(network.state_dict())
    torch.save(written, tmp_path / "weights.pth")
    hub = read_checkpoint(tmp_path / "weights.pth")["message_hub"]
    buffer = hub["log_scalars"]["train/loss"]
    assert isinstance(buffer, HistoryBuffer)
    assert buffer.data[0].tolist() == [1.0, 0.5, 0.25]
    assert buffer.mean(2) == 0.375
    buffer.update(3.0)
    assert buffer.max(10) == 3.0


def test_the_log_history_of_an_older_numpy_is_read(network: nn.Module, tmp_path: Path) -> None:
    """NumPy 2 renamed the module that its arrays name in a pickle."""
    file = io.BytesIO()
    torch.save(mmengine_checkpoint(network.state_dict()), file)
    with (
        zipfile.ZipFile(file) as before,
        zipfile.ZipFile(tmp_path / "old.pth", "w") as after,
    ):
        for name in before.namelist():
            content = before.read(name)
            if name.endswith("data.pkl"):
                assert b"numpy._core.multiarray" in content
                content = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
            after.writestr(name, content)
    hub = read_checkpoint(tmp_path / "old.pth")["message_hub"]
    assert hub["log_scalars"]["train/loss"].data[0].tolist() == [1.0, 0.5, 0.25]


def test_prefixes_are_removed_only_where_all_have_them() -> None:
    weights = {"module.a": torch.ones(1), "b": torch.ones(1)}
    assert set(weights_in(weights, "x")) == {"module.a", "b"}


@pytest.mark.parametrize(
    "network", ["timm:resnet10t", dict(type="TimmClassifier", model_name="resnet10t")]
)
def test_timm_drops_its_classifier_by_itself(network: str | dict) -> None:
    with pytest.raises(UserError, match="num_classes"):
        build_with_weights(network, dict(source="pretrained", drop_classifier=True))
