"""tools/convert_checkpoint.py: a published file in, weights that a config can name out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cls_kd.distillers.networks import build_with_weights
from cls_kd.runs.compose import read_config
from tests.distillers import published
from tests.tools.driver import ROOT, call

NETWORK = ROOT / "configs" / "networks" / "cifar_resnet8.py"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    path = tmp_path / "ckpt_epoch_240.pth"
    torch.save({"epoch": 240, "model": published.state("resnet8")}, path)
    return path


def test_the_file_is_what_a_teacher_can_be_filled_from(theirs: Path, tmp_path: Path) -> None:
    out = tmp_path / "made" / "resnet8.safetensors"
    done = call("convert_checkpoint.py", NETWORK, theirs, out).succeeded()
    assert "83,892 parameters" in done.out
    assert "RepDistiller" in done.out
    config = read_config(NETWORK).to_dict()["cifar_resnet8"]
    network, _ = build_with_weights(config, str(out))
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        found = network.eval()(images)
    expected = published.logits("resnet8", published.state("resnet8"), images)
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


def test_options_change_the_network(tmp_path: Path) -> None:
    weights = published.state("resnet8")
    weights["fc.weight"], weights["fc.bias"] = torch.ones(10, 64), torch.ones(10)
    torch.save({"model": weights}, tmp_path / "theirs.pth")
    option = "cifar_resnet8.head.num_classes=10"
    files = (tmp_path / "theirs.pth", tmp_path / "ours.pth")
    call("convert_checkpoint.py", NETWORK, *files, "--cfg-options", option).succeeded()
    call("convert_checkpoint.py", NETWORK, *files).refused("head.fc.weight (10, 64) instead of")


def test_networks_of_mmpretrain_by_name(tmp_path: Path) -> None:
    torch.save(published.state("imagenet_ResNet18"), tmp_path / "resnet18-f37072fd.pth")
    files = (tmp_path / "resnet18-f37072fd.pth", tmp_path / "ours.pth")
    done = call("convert_checkpoint.py", "resnet18_8xb32_in1k", *files).succeeded()
    assert "11,689,512 parameters" in done.out
    assert (tmp_path / "ours.pth").is_file()


@pytest.mark.parametrize(
    ("network", "options", "words"),
    [
        (ROOT / "configs/networks/cifar_resnet14.py", (), "does not fit ImageClassifier"),
        (ROOT / "configs/networks/cifar_resnet9.py", (), "cifar_resnet"),
        (ROOT / "configs/methods/kd.py", (), "holds 0 networks"),
        ("resnet18_8xb32", (), "mmpretrain has no model"),
        ("resnet18_8xb32_in1k", ("--cfg-options", "head.num_classes=5"), "given by name"),
        (NETWORK, ("--part", "both"), "invalid choice"),
    ],
)
def test_what_cannot_be_converted_is_refused(
    network: Path | str, options: tuple[str, ...], words: str, theirs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "ours.pth"
    call("convert_checkpoint.py", network, theirs, out, *options).refused(words)
    assert list(tmp_path.iterdir()) == [theirs]
