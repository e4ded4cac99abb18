"""The optimizer wrapper for optimizers that take the gradient of each group of terms by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.optimizers import DOT, DeepKD, SeparateGradients
from cls_kd.registry import OPTIM_WRAPPERS, OPTIMIZERS

OPTIMIZERS.register_module(module=DOT)
OPTIMIZERS.register_module(module=DeepKD)


@OPTIM_WRAPPERS.register_module()
class SeparateGradientsOptimWrapper(OptimWrapper):
    """For optimizers that are a `cls_kd.optimizers.SeparateGradients`, such as DOT.

    The terms of a step are summed by their groups (``group=`` of a loss), and the optimizer takes
    the gradient of each sum. In several processes it averages these; DDP itself averages nothing.

    Args:
        optimizer: The optimizer.
        dtype: ``'bfloat16'`` for mixed precision (``--amp`` sets it). Default: none. float16 would
            need scaled losses, which these optimizers do not have.
        options: Of MMEngine's ``OptimWrapper``; gradients are not clipped, because no paper says
            which of them.

    Raises:
        UserError: Another kind of optimizer, float16, or gradient clipping.
    """

    casts_by_itself = True

    def __init__(self, optimizer: Any, dtype: str | None = None, **options: Any) -> None:
        if not isinstance(optimizer, SeparateGradients):
            raise UserError(
                "optim_wrapper: SeparateGradientsOptimWrapper is for optimizers such as DOT; "
                f"{type(optimizer).__name__} needs the type 'OptimWrapper'."
            )
        if dtype not in (None, "bfloat16"):
            raise UserError(f"optim_wrapper: dtype must be 'bfloat16' or None, not {dtype!r}.")
        if options.get("clip_grad") is not None:
            raise UserError(
                f"optim_wrapper: {type(optimizer).__name__} keeps gradients apart and cannot clip "
                "them: set clip_grad=None."
            )
        super().__init__(optimizer, **options)
        self.dtype = dtype
        self._totals: dict[str, Tensor] = {}

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Forward passes without DDP's averaging; what they return is kept, by groups."""
        distiller: Any = getattr(model, "module", model)
        device = next(distiller.parameters()).device.type
        no_sync: Any = getattr(model, "no_sync", nullcontext)
        cast = torch.autocast(device, torch.bfloat16) if self.dtype else nullcontext()
        handle = distiller.register_forward_hook(self._keep)
        try:
            with no_sync(), cast:
                yield
        finally:
            handle.remove()

    def update_params(
        self,
        loss: Tensor,
        step_kwargs: Mapping[str, Any] | None = None,
        zero_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        """As MMEngine's; ``loss`` is the sum of the groups, whose gradients are taken apart."""
        totals, self._totals = self._totals, {}
        self.optimizer.backward({name: self.scale_loss(value) for name, value in totals.items()})
        self._inner_count += 1
        if self.should_update():
            self.step(**(step_kwargs or {}))
            self.zero_grad(**(zero_kwargs or {}))

    def _keep(self, distiller: Any, _: Any, terms: Any) -> None:
        self._totals = distiller.totals(terms)
