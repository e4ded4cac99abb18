"""Registries: children of mmpretrain's, so a name is found here first and there after.

``MODELS.build(dict(type='NKDLoss', gamma=1.5))`` works with no other import.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any

from mmengine.registry import Registry

# What tools print may be read by a program. At their first import mmcv-lite warns of operators that
# nothing here uses, and mmpretrain prints that it could not import something of its makers' own.
with redirect_stdout(io.StringIO()), warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="Fail to import ``MultiScaleDeformableAttention``")
    import mmcv.cnn.bricks.transformer  # noqa: F401
    import mmpretrain.datasets
    from mmpretrain import registry as mmpretrain

_SCOPE = "cls_kd"


class ChildRegistry(Registry):
    """A registry that imports its parents' modules before it looks among their names.

    MMEngine imports the modules of the registry that is asked only: of what a parent registers
    lazily, a child finds just what some other code has imported already.
    """

    def import_from_location(self) -> None:
        """Import the modules of this registry and of all its parents, once."""
        for registry in lineage(self):
            Registry.import_from_location(registry)


def lineage(registry: Registry) -> Iterator[Registry]:
    """A registry, its parent, the parent of that, and so on."""
    ancestor: Registry | None = registry
    while ancestor is not None:
        yield ancestor
        ancestor = ancestor.parent


def known_names(registry: Registry) -> list[str]:
    """Every name that a registry finds, its parents' included."""
    registry.import_from_location()
    return sorted({name for ancestor in lineage(registry) for name in ancestor.module_dict})


def _child(parent: Registry, *locations: str) -> ChildRegistry:
    return ChildRegistry(
        parent.name,
        parent=parent,
        scope=_SCOPE,
        locations=[f"{_SCOPE}.{location}" for location in locations],
    )


MODELS = _child(mmpretrain.MODELS, "models", "distillers", "data")
DATASETS = _child(mmpretrain.DATASETS, "data")
TRANSFORMS = _child(mmpretrain.TRANSFORMS, "data")
DATA_SAMPLERS = _child(mmpretrain.DATA_SAMPLERS, "data")
BATCH_AUGMENTS = _child(mmpretrain.BATCH_AUGMENTS, "data")
SCHEDULES = _child(mmpretrain.TASK_UTILS, "distillers")
HOOKS = _child(mmpretrain.HOOKS, "engine")
RUNNERS = _child(mmpretrain.RUNNERS, "engine")
PARAM_SCHEDULERS = _child(mmpretrain.PARAM_SCHEDULERS, "engine")
OPTIM_WRAPPERS = _child(mmpretrain.OPTIM_WRAPPERS, "engine", "engine.optim")
METRICS = _child(mmpretrain.METRICS, "evaluation")
# Functions: finished runs in, a section of a report out.
ANALYSES = Registry("analysis", scope=_SCOPE, locations=[f"{_SCOPE}.analyses"])

RUNNER_CONSTRUCTORS = _child(mmpretrain.RUNNER_CONSTRUCTORS)
LOOPS = _child(mmpretrain.LOOPS, "engine")
LOG_PROCESSORS = _child(mmpretrain.LOG_PROCESSORS)
OPTIMIZERS = _child(mmpretrain.OPTIMIZERS, "engine.optim")
OPTIM_WRAPPER_CONSTRUCTORS = _child(mmpretrain.OPTIM_WRAPPER_CONSTRUCTORS)
MODEL_WRAPPERS = _child(mmpretrain.MODEL_WRAPPERS)
WEIGHT_INITIALIZERS = _child(mmpretrain.WEIGHT_INITIALIZERS)
EVALUATORS = _child(mmpretrain.EVALUATORS)
VISUALIZERS = _child(mmpretrain.VISUALIZERS)
VISBACKENDS = _child(mmpretrain.VISBACKENDS)


def resolve(registry: Registry, kind: Any) -> Any:
    """The class or function that ``type=`` of a config stands for; None where there is none.

    Args:
        registry: Where names are looked up.
        kind: A name, a dotted name, or the class itself.
    """
    return registry.get(kind) if isinstance(kind, str) else kind
