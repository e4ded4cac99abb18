"""A teacher with other classes gives the logits of the student's, found by their names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from mmpretrain.datasets.categories import IMAGENET_CATEGORIES
from mmpretrain.models import TimmClassifier
from torch import Tensor, nn

from cls_kd.core.class_names import class_indices, read_names
from cls_kd.distillers import Distiller
from cls_kd.distillers.class_names import known_names
from cls_kd.distillers.networks import build_network
from cls_kd.distillers.weights import load_weights
from cls_kd.errors import UserError
from cls_kd.losses import DistillLoss, KDLoss, SRRLLoss, TaskLoss
from tests.distillers import tiny

ANIMALS = ("ant", "bee", "cat", "dog", "eel", "fox", "gnu")
THREE = ("dog", "ant", "fox")
PLACES = [3, 0, 5]
CE = dict(type=TaskLoss)


class Asks(DistillLoss):
    """Keeps what it was given of the teacher."""

    def forward(
        self,
        inputs: Tensor,
        student_logits: Tensor,
        teacher_logits: Tensor,
        teacher_feature: Tensor,
        teacher_classify: Any,
        teacher_forward: Any,
    ) -> Tensor:
        self.logits, self.classified = teacher_logits, teacher_classify(teacher_feature)
        self.forwarded = teacher_forward(inputs)
        return student_logits.mean()


def seven() -> nn.Module:
    return tiny.build(tiny.digits_cnn(widths=(6, 6, 12), classes=7)).eval()


def distiller(
    losses: dict[str, Any], names: tuple[str, ...] | None = THREE, **teacher: Any
) -> Distiller:
    options = {"network": seven(), "weights": "random", **teacher}
    student = tiny.digits_cnn(classes=3)
    return tiny.distiller(losses, student=student, teacher=options, classes=names)


def data() -> dict[str, Any]:
    raw = tiny.data(6)
    return {**raw, "data_samples": tiny.samples([0, 1, 2, 0, 1, 2])}


# --- in a training step and in an evaluation ---


def test_every_signal_with_classes_has_those_of_the_student() -> None:
    asks = Asks()
    losses = {"asks": asks, "kd": dict(type=KDLoss), "srrl": dict(type=SRRLLoss)}
    model = distiller(losses, classes=ANIMALS)
    tiny.step(model, data())
    inputs = model.data_preprocessor(data())["inputs"]
    expected = model.teachers[0].network(inputs)[:, PLACES]
    assert torch.allclose(asks.logits, expected)
    assert torch.allclose(asks.classified, expected, atol=1e-6)
    assert torch.allclose(asks.forwarded, expected)
    assert any("Of its 7 classes, 3 are the student's" in note for note in model.notes)


@pytest.mark.parametrize("losses", [{"ce": CE}, {"ce": CE, "kd": dict(type=KDLoss)}])
def test_it_is_evaluated_on_the_classes_of_the_student(losses: dict[str, Any]) -> None:
    """Also where no loss asks anything of it."""
    model = distiller(losses, classes=ANIMALS)
    inputs = model.data_preprocessor(data())["inputs"]
    scores = model.teachers[0].network(inputs)[:, PLACES].softmax(1)
    found = model.teacher_step(data())
    assert torch.allclose(torch.stack([one.pred_score for one in found]), scores)
    assert [int(one.pred_label) for one in found] == scores.argmax(1).tolist()
    assert [int(one.gt_label) for one in found] == [0, 1, 2, 0, 1, 2]


def test_teachers_of_different_classes_are_averaged() -> None:
    class Probe(DistillLoss):
        def forward(self, student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
            self.seen = teacher_logits
            return student_logits.mean()

    probe, network = Probe(), seven()
    other = tiny.build(tiny.digits_cnn(classes=3)).eval()
    model = tiny.distiller(
        {"probe": probe},
        student=tiny.digits_cnn(classes=3),
        teacher=[
            dict(network=network, weights="random", classes=ANIMALS),
            dict(network=other, weights="random"),
        ],
        classes=THREE,
    )
    tiny.step(model, data())
    inputs = model.data_preprocessor(data())["inputs"]
    assert torch.allclose(probe.seen, (network(inputs)[:, PLACES] + other(inputs)) / 2)


def test_the_places_move_with_the_distiller() -> None:
    model = distiller({"ce": CE}, classes=ANIMALS).to("meta")
    assert model.teachers[0].class_indices.device.type == "meta"


# --- where names come from ---


def checkpoint(folder: Path, network: nn.Module, meta: dict[str, Any]) -> str:
    path = folder / "teacher.pth"
    torch.save({"state_dict": network.state_dict(), "meta": meta}, path)
    return str(path)


@pytest.mark.parametrize(
    "meta", [{"dataset_meta": {"classes": ANIMALS}}, {"CLASSES": list(ANIMALS)}]
)
def test_a_checkpoint_brings_its_names(meta: dict[str, Any], tmp_path: Path) -> None:
    network = tiny.digits_cnn(widths=(6, 6, 12), classes=7)
    source = checkpoint(tmp_path, seven(), meta)
    model = distiller({"kd": dict(type=KDLoss)}, network=network, weights=source)
    assert model.teachers[0].class_indices.tolist() == PLACES


def test_the_same_classes_in_another_order_are_put_in_order(tmp_path: Path) -> None:
    network = tiny.digits_cnn(widths=(6, 6, 12), classes=7)
    source = checkpoint(tmp_path, seven(), {"dataset_meta": {"classes": ANIMALS}})
    options = dict(network=network, weights=source)
    for names, places in ((ANIMALS[::-1], [6, 5, 4, 3, 2, 1, 0]), (ANIMALS, None)):
        model = tiny.distiller(
            {"kd": dict(type=KDLoss)},
            student=tiny.digits_cnn(classes=7),
            teacher=options,
            classes=names,
        )
        found = model.teachers[0].class_indices
        assert (found if found is None else found.tolist()) == places


def test_as_many_classes_with_other_names_are_taken_in_order_and_it_is_said(
    tmp_path: Path,
) -> None:
    network = tiny.digits_cnn(widths=(6, 6, 12), classes=7)
    source = checkpoint(tmp_path, seven(), {"dataset_meta": {"classes": ANIMALS}})
    model = tiny.distiller(
        {"kd": dict(type=KDLoss)},
        student=tiny.digits_cnn(classes=7),
        teacher=dict(network=network, weights=source),
        classes=tuple("1234567"),
    )
    assert model.teachers[0].class_indices is None
    assert any("taken in their order" in note for note in model.notes)


def test_names_from_a_file(tmp_path: Path) -> None:
    text, table = tmp_path / "names.txt", tmp_path / "names.json"
    text.write_text("\n".join(ANIMALS) + "\n")
    table.write_text(json.dumps(ANIMALS))
    assert read_names(str(text)) == read_names(str(table)) == read_names(list(ANIMALS)) == ANIMALS


@pytest.mark.parametrize(("name", "content"), [("a.json", '{"a": 1}'), ("b.json", "[1"), ("c", "")])
def test_a_file_without_names_is_refused(name: str, content: str, tmp_path: Path) -> None:
    if content:
        (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=name):
        read_names(str(tmp_path / name))


def test_the_published_networks_know_the_classes_of_imagenet() -> None:
    hub = build_network("resnet18_8xb32_in1k")
    assert known_names(hub, published=True) == tuple(IMAGENET_CATEGORIES)
    timm = TimmClassifier("test_resnet")
    assert known_names(timm, published=True) == tuple(IMAGENET_CATEGORIES)
    assert known_names(timm, published=False) is None
    assert known_names(TimmClassifier("test_resnet", num_classes=10), published=True) is None


def test_weights_of_ones_own_are_not_taken_for_imagenets(tmp_path: Path) -> None:
    hub = build_network("resnet18_8xb32_in1k")
    load_weights(hub, checkpoint(tmp_path, hub, {}))
    assert known_names(hub, published=False) is None


# --- how names are found ---

IMAGENETTE = ("n01440764", "n02102040", "n02979186", "n03000684", "n03028079")


def test_classes_of_imagenet_by_synset_and_by_synonym() -> None:
    imagenet = tuple(IMAGENET_CATEGORIES)
    places = class_indices(IMAGENETTE, imagenet, {})
    assert places == [0, 217, 482, 491, 497]
    words = ("tench", "English_springer", "cassette player", "Chain Saw", "church")
    assert class_indices(words, imagenet, {}) == places
    assert class_indices(imagenet, imagenet, {}) == list(range(1000))


def test_a_class_map_names_what_is_called_otherwise() -> None:
    assert class_indices(("hound", "ant"), ANIMALS, {"hound": "dog"}) == [3, 0]


@pytest.mark.parametrize(
    ("student", "class_map", "words"),
    [
        (("dogg", "ant"), {}, "'dogg'. Did you mean 'dog'"),
        (("wolf", "ant"), {}, "class_map={'wolf': '...'}"),
        (("ant", "bee"), {"ants": "ant"}, "no class 'ants'. Did you mean 'ant'"),
        (("hound", "dog"), {"hound": "dog"}, "'hound' and 'dog' would both be"),
    ],
)
def test_names_that_do_not_fit(
    student: tuple[str, ...], class_map: dict[str, str], words: str
) -> None:
    with pytest.raises(UserError) as refused:
        class_indices(student, ANIMALS, class_map)
    assert words in str(refused.value)


def test_a_name_of_several_classes_is_refused() -> None:
    with pytest.raises(UserError, match=r"'crane' \(134\) or 'crane' \(517\)"):
        class_indices(("crane",), tuple(IMAGENET_CATEGORIES), {})


@pytest.mark.parametrize(
    ("options", "student", "words"),
    [
        ({}, THREE, "Teacher 0 has 7 classes, the student has 3"),
        ({"classes": ANIMALS}, None, "no class names"),
        ({"classes": ANIMALS}, ("ant", "bee"), "name 2 classes, and the student has 3 outputs"),
        ({"classes": ANIMALS[:-1]}, THREE, "are 6 names, and its network has 7 outputs"),
        ({"class_map": {"dog": "x"}}, THREE, "names of its classes are not known"),
    ],
)
def test_a_teacher_whose_classes_cannot_be_found_is_refused(
    options: dict[str, Any], student: tuple[str, ...] | None, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        distiller({"kd": dict(type=KDLoss)}, names=student, **options)
