"""A teacher in two halves (FSDP2 over gloo) gives the signals of the whole one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import distributed as dist
from torch.distributed.tensor import DTensor

from cls_kd.distillers.foundation import FoundationTeacher
from cls_kd.engine import build_runner
from cls_kd.errors import UserError
from cls_kd.signals import Batch
from tests.distributed.test_two_processes import ends, in_two
from tests.engine import tiny_runs
from tests.engine.test_foundation_runs import runs

pytestmark = pytest.mark.ddp

SIGNALS = {f"teacher_{name}": None for name in ("embedding", "feature", "patch_tokens", "stages")}
NAME = "timm/vit_small_patch16_dinov3.lvd1689m"
OPTIONS = dict(depth=3, embed_dim=32, num_heads=2)


def teacher(**others: Any) -> FoundationTeacher:
    torch.manual_seed(3)
    return FoundationTeacher(NAME, "random", options=OPTIONS, input_size=32, **others)


def signals(built: FoundationTeacher, images: torch.Tensor) -> dict[str, Any]:
    built.attach(SIGNALS)
    built.measure(images[:1], None, 10)
    return built(Batch(images, None, 10))


def compare(folder: Path, dtype: str | None) -> None:
    """In each of two processes."""
    rank = dist.get_rank()
    whole, halves = teacher(dtype=dtype), teacher(dtype=dtype, shard=True)
    # Different images in each process, as in a training.
    images = torch.randn(2, 3, 40, 40, generator=torch.Generator().manual_seed(rank))
    expected, actual = signals(whole, images), signals(halves, images)
    for name in SIGNALS:
        pairs = [(expected[name], actual[name])]
        if isinstance(expected[name], tuple):
            pairs = list(zip(expected[name], actual[name], strict=True))
        for ours, theirs in pairs:
            assert type(theirs) is torch.Tensor
            assert torch.equal(ours, theirs), name
    weights = dict(halves.network.named_parameters())
    assert all(isinstance(value, DTensor) for value in weights.values())
    held = sum(value.to_local().numel() for value in weights.values())
    of_all = sum(value.numel() for value in whole.network.parameters())
    assert 0.45 < held / of_all < 0.55
    assert halves.digest() == whole.digest()
    assert "It is sharded over 2 processes, in 3 blocks." in halves.note
    (folder / f"equal_{rank}_{dtype}").touch()


def compare_both(folder: Path) -> None:
    for dtype in (None, "bfloat16"):
        compare(folder, dtype)


def test_signals_of_the_halves_are_those_of_the_whole(tmp_path: Path) -> None:
    assert in_two(compare_both, tmp_path) == [0, 0]
    assert len(list(tmp_path.iterdir())) == 4


def test_one_process_has_all_of_it() -> None:
    built = teacher(shard=True)
    signals(built, torch.randn(1, 3, 40, 40))
    assert "It is not sharded: there is one process." in built.note
    assert not any(isinstance(value, DTensor) for value in built.network.parameters())


def test_a_part_of_a_sharded_teacher_does_not_run_alone() -> None:
    from cls_kd.core import Teacher
    from tests.distillers import tiny

    built = Teacher(tiny.build(tiny.digits_cnn()), shard=True)
    with pytest.raises(UserError, match="'teacher_classify', which runs a part of the teacher"):
        built.attach({"teacher_classify": None})


def probe(cfg: Config, work_dir: Path) -> None:
    cfg.work_dir = str(work_dir)
    runner = build_runner(cfg)
    rank = dist.get_rank() if dist.is_initialized() else 0
    runner.model.eval()
    torch.save({"student": runner.val_loop.data.of_student()}, work_dir / f"rank_{rank}.pth")


def test_probes_of_two_processes_are_those_of_one(digits_teacher: Path, tmp_path: Path) -> None:
    """59 images to fit to: the last round of two processes is filled with one that comes twice."""
    cfg = runs(tmp_path, digits_teacher)["pretrain"].resolved()
    cfg.val_cfg.labeled.batch_size = 16
    cfg.val_cfg.labeled.dataset.labelled = 59
    cfg.val_dataloader.dataset.indices = 31
    for name, launcher in (("one", "none"), ("two", "pytorch")):
        (tmp_path / name).mkdir()
        cfg.launcher = launcher
        run = in_two if name == "two" else tiny_runs.in_child
        assert run(probe, cfg, tmp_path / name) in (0, [0, 0])
    (alone,), both = ends(tmp_path / "one"), ends(tmp_path / "two")
    assert set(alone["student"]) == {"knn/top1", "linear_probe/top1"}
    assert both == [alone, alone]
