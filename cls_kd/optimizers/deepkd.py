"""DeepKD: SGD with a momentum each for the task, the target class and the non-target classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cls_kd.errors import UserError
from cls_kd.optimizers.separate import Gradients, SeparateGradients

_ORDER = ("task", "non_target", "target")


class DeepKD(SeparateGradients):
    r"""SGD with three momenta: of the task, the target class and the non-target classes.

    Paper: Huang et al. 2025, arXiv:2505.15133

    .. math:: v_i \leftarrow (\mu + \Delta_i) v_i + g_i + [i = target] \lambda \theta, \quad
              \theta \leftarrow \theta - \eta v_i

    for i = task, non_target, target in this order: weight decay is part of the last, and is taken
    of parameters that the other two have moved. Each momentum starts as the first gradient. The
    terms of a config belong to the groups by their losses, `TaskLoss`, `DeepKDTargetLoss` and
    `DeepKDNonTargetLoss`, or by ``group=`` in a term.

    References:
        H. Huang, J. Song, Y. Zhang, P. Ren, "DeepKD: A Deeply Decoupled and Denoised Knowledge
        Distillation Trainer", 2025, arXiv:2505.15133.

        haiduo/DeepKD@afb5964:mdistiller/engine/deepkd.py. Differences: there the task's momentum is
        mu plus the target's delta, whatever its own option says (``delta_task=delta_target``
        reproduces it); several groups of parameters, accumulated gradients and several processes
        are possible; a parameter that the target's gradient does not reach has its weight decay in
        the last of the other two (ours).

    Args:
        params: Parameters, or groups of them with options of their own.
        lr: Learning rate, eta.
        momentum: mu. Default: 0.9.
        delta_task: Default: 0.075, of CIFAR-100.
        delta_target: Default: -0.075.
        delta_non_target: Default: 0.05, of ResNet32x4 to ResNet8x4 with DKD; with KD 0.075.
        weight_decay: lambda. Default: 0.

    Raises:
        UserError: Options that make no sense.
    """

    groups = ("task", "target", "non_target")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.05,
        momentum: float = 0.9,
        delta_task: float = 0.075,
        delta_target: float = -0.075,
        delta_non_target: float = 0.05,
        weight_decay: float = 0.0,
    ) -> None:
        if lr < 0 or weight_decay < 0:
            raise UserError(
                f"DeepKD: lr and weight_decay must be 0 or more, not {lr} and {weight_decay}."
            )
        options = dict(
            delta_task=delta_task, delta_target=delta_target, delta_non_target=delta_non_target
        )
        for name, delta in options.items():
            if not 0 <= momentum + delta < 1:
                raise UserError(
                    f"DeepKD: momentum + {name} must be in [0, 1); momentum is {momentum}, {name} "
                    f"{delta}."
                )
        super().__init__(
            params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay, **options)
        )

    def update(self, group: dict[str, Any], gradients: Mapping[str, Gradients]) -> None:
        """Move by the three momenta, in their order."""
        params = set(group["params"])
        for position, name in enumerate(_ORDER):
            reached = params & gradients[name].keys()
            later = {key for other in _ORDER[position + 1 :] for key in gradients[other]}
            momentum = group["momentum"] + group[f"delta_{name}"]
            self.move(group, name, gradients[name], reached & later, momentum, 0.0)
            last = reached - later
            self.move(group, name, gradients[name], last, momentum, group["weight_decay"])
