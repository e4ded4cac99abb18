"""Learning rates that MMEngine's schedulers, one multiplied with another, do not give exactly."""

from __future__ import annotations

import math
from typing import Any

from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin

from cls_kd.engine.compat import ParamScheduler
from cls_kd.errors import UserError
from cls_kd.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class WarmupCosineLR(LRSchedulerMixin, ParamScheduler):
    r"""A cosine over all of training, multiplied by a linear warm-up, as MMCV 1.x has it [1].

    .. math:: \mathrm{lr}(t) = \mathrm{lr} \cdot \min(1, f + (1 - f)\, t / w)
              \cdot \left(m + (1 - m)\, \tfrac{1 + \cos(\pi\, h(t) / T)}{2}\right)

    with t the number of finished steps, T of all steps, w of the warm-up and h(t) the time at which
    the cosine is read. MMEngine's usual pair, ``LinearLR`` and then ``CosineAnnealingLR`` from the
    end of the warm-up, starts its cosine later; their product has another form where m is not 0.

    [1] open-mmlab/mmcv, mmcv/runner/hooks/lr_updater.py: ``CosineAnnealing`` with
        ``warmup='linear'``; m is ``min_lr_ratio``, f is ``warmup_ratio``.

    Args:
        optimizer: The optimizer, or its wrapper.
        warmup: w, in steps; under ``convert_to_iter_based=True`` in epochs.
        start_factor: f.
        min_ratio: m.
        hold: The cosine keeps its value for so many steps (under ``convert_to_iter_based=True``
            epochs); 0: it changes in each step.
        end: T, in the unit of ``warmup``. Default of a config: the length of training.
        by_epoch: Whether ``step`` is called after each epoch.
        last_step: See MMEngine.
        verbose: See MMEngine.
    """

    def __init__(
        self,
        optimizer: Any,
        *,
        warmup: int,
        start_factor: float,
        end: int,
        min_ratio: float = 0.0,
        hold: int = 0,
        by_epoch: bool = True,
        last_step: int = -1,
        verbose: bool = False,
    ) -> None:
        self.warmup, self.start_factor = warmup, start_factor
        self.min_ratio, self.hold = min_ratio, max(hold, 1)
        super().__init__(
            optimizer, end=end, by_epoch=by_epoch, last_step=last_step, verbose=verbose
        )

    @classmethod
    def build_iter_from_epoch(
        cls,
        optimizer: Any,
        *,
        warmup: int,
        end: int,
        epoch_length: int,
        hold: int = 0,
        by_epoch: bool = True,
        **options: Any,
    ) -> WarmupCosineLR:
        """From ``warmup``, ``hold`` and ``end`` in epochs; MMEngine calls it.

        Raises:
            UserError: ``by_epoch`` is False: what is there to convert.
        """
        if not by_epoch:
            raise UserError("WarmupCosineLR: convert_to_iter_based needs by_epoch=True.")
        return cls(
            optimizer,
            warmup=warmup * epoch_length,
            end=end * epoch_length,
            hold=hold * epoch_length,
            by_epoch=False,
            **options,
        )

    def _get_value(self) -> list[float]:
        """Of each group, in closed form."""
        held = self.last_step // self.hold * self.hold
        cosine = (1 + math.cos(math.pi * held / self.end)) / 2
        warm = min(1.0, self.last_step / self.warmup) if self.warmup else 1.0
        factor = self.start_factor + (1 - self.start_factor) * warm
        factor *= self.min_ratio + (1 - self.min_ratio) * cosine
        return [base * factor for base in self.base_values]
