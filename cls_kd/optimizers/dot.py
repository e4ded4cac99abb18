"""DOT: SGD with one momentum for the task and another one for the distillation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.optimizers.separate import Gradients, SeparateGradients


class DOT(SeparateGradients):
    r"""SGD with a smaller momentum for the task and a larger one for the distillation.

    Paper: Zhao et al. 2023, arXiv:2307.08436

    .. math:: v \leftarrow (\mu - \Delta) v + g_{task} + \lambda \theta, \quad
              u \leftarrow (\mu + \Delta) u + g_{distillation}, \quad
              \theta \leftarrow \theta - \eta (v + u)

    Both momenta start as the first gradient. A parameter that only one group reaches (a connector,
    say) has plain momentum and, ours, weight decay.

    References:
        B. Zhao, Q. Cui, R. Song, J. Liang, "DOT: A Distillation-Oriented Trainer", ICCV 2023.

        megvii-research/mdistiller@a08d46f:mdistiller/engine/dot.py. Differences: several groups of
        parameters, accumulated gradients and several processes are possible.

    Args:
        params: Parameters, or groups of them with options of their own.
        lr: Learning rate, eta.
        momentum: mu. Default: 0.9.
        delta: Delta. Default: 0.075, of CIFAR-100; on ImageNet 0.09.
        weight_decay: lambda. Default: 0.

    Raises:
        UserError: Options that make no sense.
    """

    groups = ("task", "distillation")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.05,
        momentum: float = 0.9,
        delta: float = 0.075,
        weight_decay: float = 0.0,
    ) -> None:
        if lr < 0 or weight_decay < 0:
            raise UserError(
                f"DOT: lr and weight_decay must be 0 or more, not {lr} and {weight_decay}."
            )
        if not 0 <= delta <= momentum or momentum + delta >= 1:
            raise UserError(
                "DOT: momentum - delta and momentum + delta must be in [0, 1); momentum is "
                f"{momentum}, delta {delta}."
            )
        options = dict(lr=lr, momentum=momentum, delta=delta, weight_decay=weight_decay)
        super().__init__(params, options)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update the parameters by the gradients that ``backward`` took.

        Raises:
            UserError: ``backward`` was not called, or there is a closure.
        """
        if closure is not None:
            raise UserError("DOT takes no closure: call optimizer.backward, then optimizer.step().")
        gradients = self.take_gradients()
        task, distillation = gradients["task"], gradients["distillation"]
        for group in self.param_groups:
            params = set(group["params"])
            both = params & task.keys() & distillation.keys()
            mu, delta, decay = group["momentum"], group["delta"], group["weight_decay"]
            self._move(group, "task", task, both, mu - delta, decay)
            self._move(group, "distillation", distillation, both, mu + delta, 0.0)
            self._move(group, "task", task, (params & task.keys()) - both, mu, decay)
            only = (params & distillation.keys()) - both
            self._move(group, "distillation", distillation, only, mu, decay)
        return None

    def _move(
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
