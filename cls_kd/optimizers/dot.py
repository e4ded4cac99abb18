"""DOT: SGD with one momentum for the task and another one for the distillation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

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

    def update(self, group: dict[str, Any], gradients: Mapping[str, Gradients]) -> None:
        """Move by both momenta; by one where only one gradient is."""
        task, distillation = gradients["task"], gradients["distillation"]
        params = set(group["params"])
        both = params & task.keys() & distillation.keys()
        mu, delta, decay = group["momentum"], group["delta"], group["weight_decay"]
        self.move(group, "task", task, both, mu - delta, decay)
        self.move(group, "distillation", distillation, both, mu + delta, 0.0)
        self.move(group, "task", task, (params & task.keys()) - both, mu, decay)
        only = (params & distillation.keys()) - both
        self.move(group, "distillation", distillation, only, mu, decay)
