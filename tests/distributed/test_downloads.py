"""What is fetched by one process of a machine, in a group of two."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from cls_kd.distillers.checkpoints import read_checkpoint
from cls_kd.downloads import wait_for
from tests.distributed.test_two_processes import in_two

URL = "https://example.org/weights.pth?download=1"


def read(work_dir: Path, alone: bool) -> None:
    """As ``torch.hub``: what is in the cache is not fetched again."""
    rank = int(os.environ["LOCAL_RANK"])
    torch.hub.set_dir(str(work_dir))
    cached = work_dir / "checkpoints" / "weights.pth"

    def download(url: str, target: str, *options: Any) -> None:
        assert target == str(cached)
        time.sleep(1)
        (work_dir / f"fetched_by_{rank}").touch()
        torch.save({"state_dict": {"a": torch.ones(1)}}, work_dir / "part")
        (work_dir / "part").rename(cached)

    torch.hub.download_url_to_file = download
    if rank == 0 or not alone:
        assert read_checkpoint(URL)["state_dict"]["a"] == 1


@pytest.mark.ddp
@pytest.mark.parametrize("alone", [False, True], ids=["both", "the first alone"])
def test_weights_are_fetched_once(alone: bool, tmp_path: Path) -> None:
    assert in_two(read, tmp_path, alone) == [0, 0]
    assert [file.name for file in tmp_path.glob("fetched*")] == ["fetched_by_0"]


def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_for(lambda: False, "x.pth")  # alone, or the one that fetches
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(TimeoutError, match=r"x.pth was not fetched"):
        wait_for(lambda: False, "x.pth", timeout=0.1)
