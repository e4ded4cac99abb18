"""Gradients of groups of terms, kept apart: the door for optimizers that treat them differently."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim import Optimizer

from cls_kd.errors import UserError, did_you_mean
from cls_kd.functional import mean_over_processes

Gradients = dict[Tensor, Tensor]


class SeparateGradients(Optimizer):
    """An optimizer that takes the gradient of each group of terms by itself.

    ``backward`` replaces ``loss.backward()``; ``parameter.grad`` stays None::

        terms = distiller.loss(images, labels)
        optimizer.zero_grad()
        optimizer.backward(distiller.totals(terms))
        optimizer.step()

    Under ``DistributedDataParallel`` run the forward pass in ``with ddp.no_sync()``: gradients are
    averaged over the processes here, group by group. Several calls before a step accumulate.

    Attributes:
        groups: Names of the groups, see ``Term(group=...)``.
    """

    groups: ClassVar[tuple[str, ...]] = ()

    def backward(self, totals: Mapping[str, Tensor]) -> None:
        """Take the gradient of each total and add it to what is there since ``zero_grad``.

        Args:
            totals: Group to the sum of its terms, as from `cls_kd.Distiller.totals`.

        Raises:
            UserError: There are other groups than this optimizer has momentum for.
        """
        self._check_groups(totals)
        trained = [
            parameter
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.requires_grad
        ]
        wanted = [name for name in self.groups if totals[name].requires_grad]
        for name in wanted:
            gradients = torch.autograd.grad(
                totals[name], trained, retain_graph=name != wanted[-1], allow_unused=True
            )
            pairs = zip(trained, gradients, strict=True)
            self._add(name, {key: value for key, value in pairs if value is not None})

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all groups."""
        super().zero_grad(set_to_none)
        self._gradients: dict[str, Gradients] = {}

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update the parameters by the gradients that ``backward`` took.

        Raises:
            UserError: ``backward`` was not called, or there is a closure.
        """
        if closure is not None:
            raise UserError(
                f"{type(self).__name__} takes no closure: call optimizer.backward, then "
                "optimizer.step()."
            )
        gradients = self.take_gradients()
        for group in self.param_groups:
            self.update(group, gradients)
        return None

    def update(self, group: dict[str, Any], gradients: Mapping[str, Gradients]) -> None:
        """Update the parameters of one group of parameters.

        Args:
            group: Parameters with their options.
            gradients: Group of terms to gradients by parameter.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how parameters move.")

    def move(
        self,
        group: dict[str, Any],
        name: str,
        gradients: Gradients,
        chosen: set[Tensor],
        momentum: float,
        weight_decay: float,
    ) -> None:
        """One step of SGD with momentum; the buffers are those of the group of terms ``name``."""
        params = [parameter for parameter in group["params"] if parameter in chosen]
        if not params:
            return
        moving = [gradients[parameter] for parameter in params]
        if weight_decay:
            moving = list(torch._foreach_add(moving, params, alpha=weight_decay))
        key = f"{name}_momentum"
        for parameter, gradient in zip(params, moving, strict=True):
            state = self.state[parameter]
            # A buffer that starts at 0 becomes the first gradient.
            state.setdefault(key, torch.zeros_like(gradient))
        buffers = [self.state[parameter][key] for parameter in params]
        torch._foreach_mul_(buffers, momentum)
        torch._foreach_add_(buffers, moving)
        torch._foreach_add_(params, buffers, alpha=-group["lr"])

    def take_gradients(self) -> dict[str, Gradients]:
        """Group to the gradients by parameter, for a step.

        Raises:
            UserError: There are none, because ``loss.backward()`` was called instead.
        """
        gradients = getattr(self, "_gradients", {})
        if not gradients:
            name = type(self).__name__
            raise UserError(
                f"{name} needs the gradients of {' and '.join(self.groups)} apart: call "
                "optimizer.backward(distiller.totals(terms)) in place of loss.backward(); in a "
                f"config, optim_wrapper=dict(type='SeparateGradientsOptimWrapper', ...)."
            )
        return {name: gradients.get(name, {}) for name in self.groups}

    def _add(self, name: str, gradients: Gradients) -> None:
        averaged = _mean_over_processes(gradients)
        if not hasattr(self, "_gradients"):
            self._gradients = {}
        before = self._gradients.setdefault(name, {})
        for parameter, gradient in averaged.items():
            before[parameter] = before[parameter] + gradient if parameter in before else gradient

    def _check_groups(self, totals: Mapping[str, Tensor]) -> None:
        for name in totals:
            if name not in self.groups:
                raise UserError(
                    f"{type(self).__name__} has the groups {', '.join(self.groups)}; a term is of "
                    f"the group {name!r}.{did_you_mean(name, self.groups)}"
                )
        missing = [name for name in self.groups if name not in totals]
        if missing:
            raise UserError(
                f"{type(self).__name__} keeps the gradients of {' and '.join(self.groups)} apart, "
                f"and no term is of the group {missing[0]!r}: give one, or say "
                f"group={missing[0]!r} in the term that is."
            )


def _mean_over_processes(gradients: Gradients) -> Gradients:
    """The same, averaged; one collective for all parameters of a type."""
    averaged: Gradients = {}
    kinds = {(value.dtype, value.device) for value in gradients.values()}
    for kind in sorted(kinds, key=str):
        gradients_of_kind = {p: g for p, g in gradients.items() if (g.dtype, g.device) == kind}
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients_of_kind.values()])
        mean = mean_over_processes(flat)
        if mean is flat:
            averaged |= gradients_of_kind
            continue
        parts: Any = mean.split([gradient.numel() for gradient in gradients_of_kind.values()])
        averaged |= {p: part.view_as(p) for p, part in zip(gradients_of_kind, parts, strict=True)}
    return averaged
