"""``student.safetensors``: the weights, with the network's config in its metadata."""

from __future__ import annotations

import copy
import json

from safetensors.torch import load_file, save

from cls_kd.engine.export.task import ExportTask
from cls_kd.engine.export.verification import Predictor

FILE = "student.safetensors"


def write_safetensors(task: ExportTask) -> Predictor:
    """Write the file; the network with the weights that were read back from it."""
    network, file = task.student.network, task.output / FILE
    state = {key: value.clone().contiguous() for key, value in network.state_dict().items()}
    # The config of the network, as mmpretrain builds it: with it the file is enough.
    metadata = {**task.student.metadata(), "config": json.dumps(task.student.config)}
    file.write_bytes(save(state, metadata))
    loaded = copy.deepcopy(network)
    loaded.load_state_dict(load_file(file), strict=True)
    return loaded
