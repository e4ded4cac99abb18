"""A training step in a CUDA graph: teacher, student, losses, backward and optimizer as one launch.

Written after PyTorch's notes on CUDA graphs and run on the CPU only, with `InTurn` in place of
`CUDAGraphs`: on a GPU it has not been run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Protocol

import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import Tensor
from torch.optim import SGD

from cls_kd.adapters.samples import index_of, labels_of
from cls_kd.distillers import Distiller
from cls_kd.errors import UserError
from cls_kd.signals import Batch

WARM_UP = 3
"""Steps before the capture, in which the optimizer and the libraries allocate what they keep."""

Step = Callable[[], None]


class Graphs(Protocol):
    """Records a step once and repeats it."""

    def warm_up(self, step: Step) -> None:
        """Do a step in the way that precedes a capture."""

    def capture(self, step: Step) -> Step:
        """Record a step without doing it; what is returned does it."""


class CUDAGraphs:
    """PyTorch's CUDA graphs: a side stream for the warm-up, one graph, replayed."""

    def warm_up(self, step: Step) -> None:
        """Do a step on a side stream, which is waited for."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            step()
        torch.cuda.current_stream().wait_stream(stream)

    def capture(self, step: Step) -> Step:
        """Record a step in a graph with memory of its own."""
        graph = torch.cuda.CUDAGraph()
        # Threads of the loader allocate pinned memory meanwhile, which another mode would forbid.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            step()
        return graph.replay


class InTurn:
    """Every step done as it is, for machines without CUDA: what a graph would repeat, in order."""

    def warm_up(self, step: Step) -> None:
        """Do a step."""
        step()

    def capture(self, step: Step) -> Step:
        """The step itself."""
        return step


class CapturedStep:
    """Training steps of one shape from a graph, all others as usual.

    Batches are prepared outside of the graph and copied to its inputs. Weights of losses and
    learning rates are scalars on the device, which are written where a schedule has changed them.
    A batch of another length, such as an epoch's last one, is an ordinary step.

    Args:
        distiller: On its device, in training mode.
        wrapper: Of its optimizer, which is prepared at the first step.
        graphs: Default: `CUDAGraphs`.
        say: Called with one line where the capture fails; steps are ordinary ones from then on.
            Default: nothing.
    """

    def __init__(
        self,
        distiller: Distiller,
        wrapper: OptimWrapper,
        graphs: Graphs | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.distiller, self.wrapper, self.say = distiller, wrapper, say
        self.graphs: Graphs = graphs or CUDAGraphs()
        self.inputs: dict[str, Tensor] = {}
        self.replay: Step | None = None
        self._warm = 0
        self._names: list[str] = []
        self._values = torch.empty(0)
        device = next(distiller.student.parameters()).device
        groups = wrapper.optimizer.param_groups
        self._rates = [torch.tensor(float(group["lr"]), device=device) for group in groups]
        self._weights = {
            name: torch.tensor(float(term.weight(distiller.time)), device=device)
            for name, term in distiller.terms.items()
        }
        self._written: dict[Any, float] = {}

    def __call__(self, data: Any) -> dict[str, Tensor]:
        """One training step; the terms for the log.

        Args:
            data: A batch, as the loader gives it.
        """
        tensors = _tensors(self.distiller.data_preprocessor(data, True))
        self._write_scalars()
        if not self.inputs:
            # Not earlier: a checkpoint that is resumed brings options of its own.
            prepare_optimizer(self.wrapper)
            self.inputs = {name: tensor.clone() for name, tensor in tensors.items()}
        if _shapes(tensors) != _shapes(self.inputs):
            self._step(tensors)
            return self._terms()
        for name, tensor in tensors.items():
            self.inputs[name].copy_(tensor, non_blocking=True)
        self._run()
        return self._terms()

    def _run(self) -> None:
        if self._warm < WARM_UP:
            self._warm += 1
            self.graphs.warm_up(self._static_step)
            return
        if self.replay is None:
            self.replay = self._capture()
        self.replay()

    def _capture(self) -> Step:
        try:
            return self.graphs.capture(self._static_step)
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            self.say(f"The training step could not be captured in a CUDA graph: {reason}")
            return self._static_step

    def _static_step(self) -> None:
        self._step(self.inputs)

    def _step(self, tensors: Mapping[str, Tensor]) -> None:
        """The step that is captured: passes, losses, backward, optimizer."""
        model, optimizer = self.distiller, self.wrapper.optimizer
        batch = Batch(
            tensors["inputs"],
            tensors["labels"],
            model.num_classes,
            index=tensors.get("index"),
            pairs=tensors.get("pairs"),
            views=tensors.get("views"),
            time=model.time,
        )
        with self._precision():
            terms = model.step(batch, self._weights)
        total, values = model.parse_losses(terms)
        # New gradients: those of a graph stay where the graph writes them.
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        self._update()
        self._names = list(values)
        self._values = torch.stack([value.detach().float() for value in values.values()])

    def _update(self) -> None:
        """The optimizer's step, with learning rates that are read on the device."""
        groups = self.wrapper.optimizer.param_groups
        numbers = [group["lr"] for group in groups]
        for group, rate in zip(groups, self._rates, strict=True):
            group["lr"] = rate
        try:
            self.wrapper.optimizer.step()
        finally:
            # Schedules and checkpoints have numbers.
            for group, number in zip(groups, numbers, strict=True):
                group["lr"] = number

    def _write_scalars(self) -> None:
        time, groups = self.distiller.time, self.wrapper.optimizer.param_groups
        for name, term in self.distiller.terms.items():
            self._write(name, self._weights[name], term.weight(time))
        for index, group in enumerate(groups):
            self._write(index, self._rates[index], group["lr"])

    def _write(self, key: Any, scalar: Tensor, value: float) -> None:
        if self._written.get(key) != value:
            self._written[key] = value
            scalar.fill_(value)

    def _terms(self) -> dict[str, Tensor]:
        # A copy, for the next step writes to the same memory before the log is written.
        return dict(zip(self._names, self._values.clone().unbind(), strict=True))

    def _precision(self) -> AbstractContextManager[Any]:
        if not isinstance(self.wrapper, AmpOptimWrapper):
            return nullcontext()
        device = next(self.distiller.student.parameters()).device
        # The cache of weights in half precision must not outlive a pass.
        return torch.autocast(device.type, dtype=torch.bfloat16, cache_enabled=False)


def prepare_optimizer(wrapper: OptimWrapper) -> None:
    """Let an optimizer be captured: it then reads its learning rate on the device.

    SGD becomes the fused one, Adam and AdamW capturable, with their step counts on the device.

    Args:
        wrapper: Of an optimizer that ``capture_check.obstacles`` has nothing against.
    """
    optimizer = wrapper.optimizer
    for group in optimizer.param_groups:
        if isinstance(optimizer, SGD):
            group.update(fused=True, foreach=False)
        else:
            group.update(capturable=True)
    for parameter, state in optimizer.state.items():
        if isinstance(state.get("step"), Tensor):
            state["step"] = state["step"].to(parameter.device)


def _tensors(ready: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors of a prepared batch, by the names of `Batch`."""
    inputs, samples = ready["inputs"], ready["data_samples"]
    tensors = {"inputs": inputs, "labels": labels_of(samples).to(inputs.device)}
    with suppress(UserError):  # of samples without a place; a loss that asks for it says so
        tensors["index"] = index_of(samples).to(inputs.device)
    if "pair_inputs" in ready:
        tensors["pairs"] = ready["pair_inputs"]
    if "view_inputs" in ready:
        tensors["views"] = ready["view_inputs"]
    return tensors


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}
