"""Training steps from a CUDA graph: what of them runs without a GPU, and what is said there."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import nn

from cls_kd.distillers import Distiller
from cls_kd.engine import train
from cls_kd.engine.capture_check import obstacles
from cls_kd.engine.captured_step import WARM_UP, CapturedStep, InTurn, Step
from cls_kd.engine.compat import CPUAmpOptimWrapper
from cls_kd.losses import LOSSES
from cls_kd.losses.base import DistillLoss
from tests.distillers import tiny
from tests.engine import tiny_runs
from tests.losses.rows import ROWS

CE = dict(type="TaskLoss", weight=0.3)
KD = dict(type="KDLoss", temperature=4.0, weight=dict(type="LinearWarmup", until=0.5))
SGD = dict(lr=0.1, momentum=0.9, weight_decay=5e-4)


class Counting(InTurn):
    def __init__(self) -> None:
        self.warm = self.captures = self.replays = 0

    def warm_up(self, step: Step) -> None:
        self.warm += 1
        step()

    def capture(self, step: Step) -> Step:
        self.captures += 1

        def replay() -> None:
            self.replays += 1
            step()

        return replay


def model(losses: dict[str, Any] | None = None, **options: Any) -> Distiller:
    losses = losses or dict(ce=CE, kd=KD, crd=dict(type="CRDLoss", negatives=4))
    built = tiny.distiller(losses, teacher=tiny.teacher(), **options).train()
    built.time.max_steps = 10
    return built


def batches() -> list[Any]:
    """The last one is shorter, as at the end of an epoch, and full ones follow."""
    return [tiny.data(5 if number == 5 else 8, seed=number) for number in range(8)]


def wrapped(optimizer: Any, amp: bool, captured: bool) -> OptimWrapper:
    if amp and captured:
        wrapper = AmpOptimWrapper.__new__(AmpOptimWrapper)  # which wants a GPU to be made
        OptimWrapper.__init__(wrapper, optimizer)
        return wrapper
    return (CPUAmpOptimWrapper if amp else OptimWrapper)(optimizer)


def trained(
    distiller: Distiller, optimizer: Any, *, amp: bool, captured: bool
) -> list[dict[str, Any]]:
    wrapper = wrapped(optimizer, amp, captured)
    graphs = Counting()
    if captured:
        distiller.captured_step = CapturedStep(distiller, wrapper, graphs)
    logged = []
    for number, raw in enumerate(batches()):
        distiller.time.step = number
        for group in optimizer.param_groups:
            group["lr"] = 0.1 / (number + 1)
        logged.append(distiller.train_step(raw, wrapper))
    if captured:
        assert (graphs.warm, graphs.captures, graphs.replays) == (WARM_UP, 1, 4)
    return logged


@pytest.mark.parametrize("amp", [False, True], ids=["float32", "bfloat16"])
def test_it_trains_as_an_ordinary_step_does(amp: bool) -> None:
    first = model()
    second = copy.deepcopy(first)
    fused = torch.optim.SGD(first.parameters(), fused=True, **SGD)
    plain = trained(first, fused, amp=amp, captured=False)
    options = torch.optim.SGD(second.parameters(), **SGD)
    captured = trained(second, options, amp=amp, captured=True)
    assert options.param_groups[0]["lr"] == 0.1 / 8, "a number, for schedules and checkpoints"
    for one, other in zip(plain, captured, strict=True):
        assert list(one) == list(other)
        assert all(torch.equal(one[name].detach().float(), other[name]) for name in one)
    assert len({value.data_ptr() for terms in captured for value in terms.values()}) == 8 * 4
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


def test_a_failed_capture_is_said_and_steps_go_on() -> None:
    class Failing(Counting):
        def capture(self, step: Step) -> Step:
            raise RuntimeError("operation not permitted when stream is capturing\nmore")

    said: list[str] = []
    distiller = model(dict(ce=CE))
    wrapper = OptimWrapper(torch.optim.SGD(distiller.parameters(), **SGD))
    distiller.captured_step = CapturedStep(distiller, wrapper, Failing(), said.append)
    for raw in [tiny.data(8)] * 6:
        distiller.train_step(raw, wrapper)
    assert said == [
        "The training step could not be captured in a CUDA graph: operation not permitted when "
        "stream is capturing"
    ]


def found(distiller: Distiller, wrapper: Any = None, **cfg: Any) -> list[str]:
    wrapper = wrapper or OptimWrapper(torch.optim.SGD(distiller.parameters(), lr=0.1))
    return obstacles(distiller, wrapper, Config(cfg), device="cuda", processes=1)


def test_a_plain_training_can_be_captured() -> None:
    assert found(model(), param_scheduler=[dict(type="MultiStepLR", milestones=[1])]) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (dict(losses=dict(ps=dict(type="PSKDLoss"))), "the loss 'ps' (asks for `epoch`"),
        (
            dict(
                losses=dict(ce=CE, svd=dict(type="KDSVDLoss", stages=(-2, -1))),
            ),
            "the loss 'svd' (its decomposition reads an error code)",
        ),
        (dict(teacher=tiny.teacher(train_mode=True)), "teacher 0 (runs in training mode)"),
        (dict(teacher=tiny.teacher(compile=True)), "teacher 0 (is compiled)"),
        (dict(teacher=tiny.teacher(store={})), "teacher 0 (its outputs are stored"),
        (
            dict(data_preprocessor=dict(to_onehot=True, num_classes=10)),
            "the data preprocessor (mixes labels)",
        ),
    ],
    ids=["time", "host", "train_mode", "compiled", "stored", "soft labels"],
)
def test_what_of_a_model_cannot_be_captured(
    change: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nn.Module, "compile", lambda *args, **options: None)
    options = {"losses": dict(ce=CE, kd=KD), "teacher": tiny.teacher(), **change}
    (text,) = found(tiny.distiller(**options))
    assert text.startswith(said)


def test_what_of_an_optimizer_cannot_be_captured() -> None:
    distiller = model(dict(ce=CE))
    sgd = torch.optim.SGD(distiller.parameters(), lr=0.1)
    wrappers = {
        "accumulates gradients": OptimWrapper(sgd, accumulative_counts=2),
        "clips gradients": OptimWrapper(sgd, clip_grad=dict(max_norm=1.0)),
        "LBFGS; SGD, Adam, AdamW can be": OptimWrapper(torch.optim.LBFGS(distiller.parameters())),
        "steps in a way of its own": SimpleNamespace(),
    }
    scaling = wrapped(sgd, amp=True, captured=True)
    scaling.loss_scaler = SimpleNamespace(_enabled=True)
    wrappers["bfloat16 needs no scaling"] = scaling
    for said, wrapper in wrappers.items():
        (text,) = found(distiller, wrapper)
        assert said in text


def test_what_of_a_run_cannot_be_captured() -> None:
    distiller = model(dict(ce=CE))
    wrapper = OptimWrapper(torch.optim.AdamW(distiller.parameters()))
    cfg = Config(dict(compile=True, param_scheduler=dict(type="CosineAnnealingMomentum")))
    texts = obstacles(distiller, wrapper, cfg, device="cpu", processes=2)
    assert [text.partition(" (")[0] for text in texts] == [
        "the device",
        "the 2 processes",
        "compile",
        "param_scheduler",
    ]


def test_losses_that_wait_say_so() -> None:
    waiting = {name for name, row in ROWS.items() if row.waits}
    kinds: dict[str, type[DistillLoss]] = {name: LOSSES[name] for name in ROWS}
    assert waiting <= {name for name, kind in kinds.items() if kind.host_bound}


def test_without_a_gpu_a_run_says_so_and_trains(digits_teacher: Path, tmp_path: Path) -> None:
    cfg = tiny_runs.config(digits_teacher, epochs=1, cuda_graph=True)
    cfg.optim_wrapper.pop("clip_grad")
    run = tiny_runs.single(cfg, tmp_path)
    assert train(run)["epochs"] == 1
    (log,) = run.work_dir.rglob("*.log")
    (line,) = (line for line in log.read_text().splitlines() if "No CUDA graph" in line)
    assert "No CUDA graph: it cannot capture the device (cpu: CUDA graphs are NVIDIA's)." in line
