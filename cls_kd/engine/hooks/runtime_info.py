"""Losses go to the log in bundles: one copy from the device for many steps, and NaN is named."""

from __future__ import annotations

import math
from typing import Any

import torch
from mmengine.dist import all_gather_object
from mmengine.hooks import RuntimeInfoHook
from mmengine.runner import Runner

from cls_kd.engine.compat import keep_gradient_norm
from cls_kd.engine.divergence import write_record
from cls_kd.engine.hooks.reading import ReadSteps, extend
from cls_kd.errors import DivergedError
from cls_kd.registry import HOOKS


@HOOKS.register_module()
class BufferedRuntimeInfoHook(RuntimeInfoHook):
    """Replaces MMEngine's, which copies every loss from the device in every step.

    Values are kept on the device and fetched together in the steps in which the log or a checkpoint
    reads them, and at the end of an epoch. Then each is looked at: the first that is not finite
    ends the run, before anything is saved.

    The history of a value goes back one epoch, and at least 1000 steps: MMEngine copies it in every
    step and saves it in every checkpoint, which in a long run costs more than a small network does.

    Raises:
        DivergedError: A loss is NaN or infinite; names the loss, the epoch and the step.
    """

    def before_train(self, runner: Runner) -> None:
        """Learn from the other hooks in which steps the values are read; limit the histories."""
        super().before_train(runner)
        self.steps = ReadSteps(runner)
        self.pending: list[tuple[int, dict[str, Any]]] = []
        self.gradient_norm = keep_gradient_norm(runner.optim_wrapper)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Note the step and the learning rates."""
        runner.message_hub.update_info("iter", runner.iter)
        self.rates = {name: rate[0] for name, rate in runner.optim_wrapper.get_lr().items()}

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Keep the step's values; write them out where a line is due."""
        # Detached, or the graphs of many steps would stay in memory.
        values = {
            name: value.detach() if isinstance(value, torch.Tensor) else value
            for name, value in (outputs or {}).items()
        }
        self.pending.append((runner.iter, {**self.rates, **values, **self.gradient_norm()}))
        if self.steps.reads(runner, batch_idx):
            self.flush(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Write out what is left."""
        self.flush(runner)

    def flush(self, runner: Runner) -> None:
        """Fetch all kept values with one copy, check them, append them to the history."""
        if not self.pending:
            return
        steps, self.pending = self.pending, []
        tensors = [
            value.float().reshape(())
            for _, values in steps
            for value in values.values()
            if isinstance(value, torch.Tensor)
        ]
        fetched = iter(torch.stack(tensors).tolist() if tensors else ())
        series: dict[str, list[float]] = {}
        problems: list[str] = []
        for step, values in steps:
            numbers = {
                name: next(fetched) if isinstance(value, torch.Tensor) else float(value)
                for name, value in values.items()
            }
            problems = problems or list(filter(None, [_problem(runner, numbers, step)]))
            for name, number in numbers.items():
                series.setdefault(f"train/{name}", []).append(number)
        _raise_everywhere(next(iter(problems), None))
        for name, numbers_of in series.items():
            extend(runner, name, numbers_of, self.steps.kept)


def _problem(runner: Runner, values: dict[str, float], step: int) -> str | None:
    """A loss that is not finite, if there is one, with what to do."""
    # The sum is looked at last: a term that diverged says more.
    names = sorted((name for name in values if "loss" in name), key=lambda name: name == "loss")
    for name in names:
        if not math.isfinite(values[name]):
            return (
                f"The loss {name!r} became {values[name]} at step {step + 1} (epoch "
                f"{runner.epoch + 1}). Training stopped; the last checkpoint is from before. A "
                "lower learning rate, gradient clipping or bfloat16 instead of float16 usually "
                f"helps. {write_record(runner, step, values)}"
            )
    return None


def _raise_everywhere(problem: str | None) -> None:
    """Raise the first problem of any process in all of them: none may wait for the others."""
    problems = [other for other in all_gather_object(problem) if other is not None]
    if problems:
        raise DivergedError(problems[0])
