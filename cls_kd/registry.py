"""Registries: children of mmpretrain's, so a name is found here first and there after.

``MODELS.build(dict(type='NKDLoss', gamma=1.5))`` works with no other import.
"""

from __future__ import annotations

import io
import warnings
from contextlib import redirect_stdout

from mmengine.registry import Registry

# What tools print may be read by a program. At their first import mmcv-lite warns of operators that
# nothing here uses, and mmpretrain prints that it could not import something of its makers' own.
with redirect_stdout(io.StringIO()), warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="Fail to import ``MultiScaleDeformableAttention``")
    import mmcv.cnn.bricks.transformer  # noqa: F401
    import mmpretrain.datasets
    from mmpretrain import registry as mmpretrain

_SCOPE = "cls_kd"


def _child(parent: Registry, *locations: str) -> Registry:
    return Registry(
        parent.name,
        parent=parent,
        scope=_SCOPE,
        locations=[f"{_SCOPE}.{location}" for location in locations],
    )


MODELS = _child(mmpretrain.MODELS, "models", "modules", "losses", "distillers", "data")
DATASETS = _child(mmpretrain.DATASETS, "data")
TRANSFORMS = _child(mmpretrain.TRANSFORMS, "data")
DATA_SAMPLERS = _child(mmpretrain.DATA_SAMPLERS, "data")
BATCH_AUGMENTS = _child(mmpretrain.BATCH_AUGMENTS, "data")
SCHEDULES = _child(mmpretrain.TASK_UTILS, "modules")
HOOKS = _child(mmpretrain.HOOKS, "engine")
RUNNERS = _child(mmpretrain.RUNNERS, "engine")
PARAM_SCHEDULERS = _child(mmpretrain.PARAM_SCHEDULERS, "engine")
OPTIM_WRAPPERS = _child(mmpretrain.OPTIM_WRAPPERS, "engine")
METRICS = _child(mmpretrain.METRICS, "evaluation")
# Functions: finished runs in, a section of a report out.
ANALYSES = Registry("analysis", scope=_SCOPE, locations=[f"{_SCOPE}.analyses"])
# Functions: a config and options in, entries of its list of runs out.
RUN_LISTS = Registry("list of runs", scope=_SCOPE, locations=[f"{_SCOPE}.engine.generations"])

# MMEngine warns of every kind of registry that the default scope has no child of.
OTHERS = [
    _child(parent)
    for parent in (
        mmpretrain.RUNNER_CONSTRUCTORS,
        mmpretrain.LOOPS,
        mmpretrain.LOG_PROCESSORS,
        mmpretrain.OPTIMIZERS,
        mmpretrain.OPTIM_WRAPPER_CONSTRUCTORS,
        mmpretrain.MODEL_WRAPPERS,
        mmpretrain.WEIGHT_INITIALIZERS,
        mmpretrain.EVALUATORS,
        mmpretrain.VISUALIZERS,
        mmpretrain.VISBACKENDS,
    )
]
