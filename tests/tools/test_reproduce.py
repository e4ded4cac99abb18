"""``cls-kd reproduce``, driven as a user does, on synthetic images."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from cls_kd.data.synthetic import write_cifar100
from tests.tools.driver import command

CELL = "kd/cifar100/vgg13_vgg8"
SPLITS = ("train", "val", "test")
CHANGES = [
    *(f"{split}_dataloader.dataset.checksum=False" for split in SPLITS),
    *(f"{split}_dataloader.dataset.indices=8" for split in SPLITS),
    "train_cfg.max_epochs=1",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("reproduce")
    write_cifar100(folder / "data" / "cifar100", train=100, test=100, seed=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("cls_kd.cli.reproduce.SECONDS", 0.01)
        patch.setattr("cls_kd.engine.estimate.WARM_UP", 0)
        patch.setenv("COLUMNS", "200")
        yield folder


def test_a_cell_is_trained_and_compared(folder: Path) -> None:
    words = ["reproduce", CELL, "--seeds", "0-1", "--work-dir", "out", "--cfg-options", *CHANGES]
    planned = command(*words, "--dry-run").succeeded().out
    assert "checkpoints/cifar100/vgg13.pth does not exist; it is trained first" in planned
    assert "2 of 2" in planned
    times = re.findall(r"(\d+):(\d\d):(\d\d) │$", planned, re.M)
    *each, total = (3600 * int(h) + 60 * int(m) + int(s) for h, m, s in times)
    assert len(each) == 2
    assert total == pytest.approx(sum(each), abs=2)  # rounded
    assert not (folder / "out").exists()

    done = command(*words).succeeded()
    text = (folder / "out" / "reproduction.md").read_text()
    assert text in done.out
    assert "| last |" in text
    assert "Seeds: 0, 1." in text
    assert "changed were" in text
    assert (folder / "out" / "teacher" / "result.json").is_file()

    again = command(*words).succeeded()
    assert again.out.count("finished") == 2
    assert "3 of 3 runs are finished" in again.err


def test_a_published_teacher_is_converted_and_evaluated(folder: Path) -> None:
    from cls_kd.distillers.networks import build_network
    from cls_kd.runs import read_config
    from cls_kd.runs.config_names import find_config

    network = build_network(read_config(find_config("networks/cifar_vgg8")).cifar_vgg8)
    torch.save({"model": network.state_dict()}, folder / "wrong.pth")
    words = ["reproduce", CELL, "--work-dir", "other", "--dry-run", "--cfg-options", *CHANGES]
    command(*words, "--teacher", "wrong.pth").refused("wrong.pth")
    assert not (folder / "checkpoints").exists()

    (folder / "checkpoints" / "cifar100").mkdir(parents=True)
    network = build_network(read_config(find_config("networks/cifar_vgg13")).cifar_vgg13)
    torch.save({"state_dict": network.state_dict()}, folder / "checkpoints/cifar100/vgg13.pth")
    out = command(*words).succeeded().out
    assert "published: 74.64 %" in out
    command(*words, "--teacher", "wrong.pth").refused("has its weights already")


def test_what_cannot_be_is_refused() -> None:
    command("reproduce", "dkd/cifar100/vgg13_vgg9").refused("vgg13_vgg8")
    command("reproduce", CELL, "--seeds", "1,1").refused("names a seed twice")
    command("reproduce", CELL, "--seeds", "a").refused("not of the form 0-4")
