"""One row for each loss, by the package that the loss is in."""

from __future__ import annotations

from . import feature, logit, online, relation, self_distillation, several_teachers, vit
from .row import Row

ROWS: dict[str, Row] = {
    **feature.ROWS,
    **logit.ROWS,
    **online.ROWS,
    **relation.ROWS,
    **self_distillation.ROWS,
    **several_teachers.ROWS,
    **vit.ROWS,
}
