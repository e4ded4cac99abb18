"""Names of mmpretrain's and MMEngine's registries are found in ours, in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

import pytest

from tests.tools.driver import environment

# One of mmpretrain's (or MMEngine's, where mmpretrain has none) of each kind.
NAMES = {
    "MODELS": "LinearClsHead",
    "DATASETS": "CustomDataset",
    "TRANSFORMS": "RandAugment",
    "DATA_SAMPLERS": "RepeatAugSampler",
    "BATCH_AUGMENTS": "CutMix",
    "HOOKS": "PreciseBNHook",
    "RUNNERS": "FlexibleRunner",
    "LOOPS": "RetrievalValLoop",
    "LOG_PROCESSORS": "LogProcessor",
    "OPTIMIZERS": "Lamb",
    "OPTIM_WRAPPERS": "AmpOptimWrapper",
    "OPTIM_WRAPPER_CONSTRUCTORS": "LearningRateDecayOptimWrapperConstructor",
    "PARAM_SCHEDULERS": "CosineAnnealingWeightDecay",
    "MODEL_WRAPPERS": "MMDistributedDataParallel",
    "WEIGHT_INITIALIZERS": "TruncNormal",
    "METRICS": "SingleLabelMetric",
    "EVALUATORS": "Evaluator",
    "VISUALIZERS": "UniversalVisualizer",
    "VISBACKENDS": "TensorboardVisBackend",
}
# Through MMEngine's root registry and the default scope, as MMEngine's runner builds.
PROGRAM = """
import json, os, sys
before = dict(os.environ)
from mmengine.registry import DefaultScope
from cls_kd import registry
found = {}
with DefaultScope.overwrite_default_scope("cls_kd"):
    for kind, name in json.load(sys.stdin).items():
        ours = getattr(registry, kind)
        root = list(registry.lineage(ours))[-1]
        with root.switch_scope_and_registry(None) as chosen:
            found[kind] = [ours.get(name) is not None, chosen.get(name) is not None]
import cls_kd.engine, cls_kd.cli
changed = sorted(set(os.environ) - set(before))
cls_kd.engine.compat.prepare_process()
print(json.dumps([found, changed, os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"]]))
"""


@dataclass(frozen=True)
class Fresh:
    """What a process of its own says: names, variables that an import made, and one after it."""

    names: dict[str, list[bool]]
    changed: list[str]
    forced: str


@pytest.fixture(scope="module")
def fresh() -> Fresh:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        input=json.dumps(NAMES),
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = done.stdout.splitlines()  # importing prints nothing
    return Fresh(*json.loads(line))


@pytest.mark.parametrize("kind", NAMES)
def test_a_name_is_found_without_an_import(kind: str, fresh: Fresh) -> None:
    directly, by_scope = fresh.names[kind]
    assert directly
    assert by_scope or kind == "BATCH_AUGMENTS"  # MMEngine has no such kind


def test_importing_the_engine_forces_nothing(fresh: Fresh) -> None:
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in fresh.changed
    assert fresh.forced == "1"
