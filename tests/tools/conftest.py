"""One teacher and one student, trained once, and configs to be spoiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tools.driver import PAIR, call

ONE_EPOCH = ("--cfg-options", "train_cfg.max_epochs=1")


@dataclass(frozen=True)
class Trained:
    """What ``tools/train.py configs/digits/pair.py --method nkd`` leaves after one epoch."""

    work_dir: Path

    @property
    def teacher(self) -> Path:
        return self.work_dir / "teacher" / "epoch_1.pth"

    @property
    def student(self) -> Path:
        return self.work_dir / "nkd" / "epoch_1.pth"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    work_dir = tmp_path_factory.mktemp("trained") / "pair"
    call("train.py", PAIR, "--method", "nkd", "--work-dir", work_dir, *ONE_EPOCH).succeeded()
    return Trained(work_dir)


@pytest.fixture(scope="session")
def one_run(trained: Trained) -> str:
    """Text of a config of one run: NKD by the trained teacher, one epoch."""
    options = ("--method", "nkd", "--run", "nkd", "--work-dir", trained.work_dir)
    every_epoch = "default_hooks.checkpoint.interval=1"
    return call("print_config.py", PAIR, *options, *ONE_EPOCH, every_epoch).succeeded().out


Spoil = Callable[..., Path]


@pytest.fixture
def config(one_run: str, tmp_path: Path) -> Spoil:
    """Writes a config: the text of one run, and what is to be changed in it."""

    def write(*lines: str, text: str = one_run) -> Path:
        path = tmp_path / "config.py"
        path.write_text("\n".join([text, *lines]))
        return path

    return write
