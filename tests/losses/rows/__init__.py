"""One row for each loss, by the package that the loss is in."""

from __future__ import annotations

from . import feature, logit, online, relation, self_distillation, vit
from .row import Row

ROWS: dict[str, Row] = {
    **feature.ROWS,
    **logit.ROWS,
    **online.ROWS,
    **relation.ROWS,
    **self_distillation.ROWS,
    **vit.ROWS,
}
