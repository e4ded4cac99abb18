"""Names of mmpretrain's and MMEngine's registries are found in ours, in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys

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
import json, sys
from mmengine.registry import DefaultScope
from cls_kd import registry
found = {}
with DefaultScope.overwrite_default_scope("cls_kd"):
    for kind, name in json.load(sys.stdin).items():
        ours = getattr(registry, kind)
        root = list(registry.lineage(ours))[-1]
        with root.switch_scope_and_registry(None) as chosen:
            found[kind] = [ours.get(name) is not None, chosen.get(name) is not None]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found() -> dict[str, list[bool]]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        input=json.dumps(NAMES),
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("kind", NAMES)
def test_a_name_is_found_without_an_import(kind: str, found: dict[str, list[bool]]) -> None:
    directly, by_scope = found[kind]
    assert directly
    assert by_scope or kind == "BATCH_AUGMENTS"  # MMEngine has no such kind
