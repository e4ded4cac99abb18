"""Python for users of an exported file: after ``inputs`` from an image, its ``logits``.

The snippet of mmpretrain's inferencer stands alone: it loads and transforms the image itself.
"""

from __future__ import annotations

from cls_kd.engine.export.clean_config import timm_options
from cls_kd.engine.export.student import Student

_MMPRETRAIN = """\
from mmpretrain import ImageClassificationInferencer

inferencer = ImageClassificationInferencer('student_config.py', pretrained='{file}', device='cpu')
prediction = inferencer('image.png')[0]
print(prediction['pred_label'], prediction.get('pred_class'))"""

_ONNX = """\
import onnxruntime

session = onnxruntime.InferenceSession('{file}', providers=['CPUExecutionProvider'])
(logits,) = session.run(['logits'], {{'inputs': inputs}})"""

_TORCH_EXPORT = """\
import torch

network = torch.export.load('{file}').module()
logits = network(torch.from_numpy(inputs)).detach().numpy()"""

_TIMM = """\
import timm
import torch

network = timm.create_model({options}, checkpoint_path='{file}').eval()
with torch.no_grad():
    logits = network(torch.from_numpy(inputs)).numpy()"""

_TIMM_FOLDER = """\
import timm
import torch

network = timm.create_model('local-dir:PATH/OF/THIS/FOLDER', pretrained=True).eval()
with torch.no_grad():
    logits = network(torch.from_numpy(inputs)).numpy()"""

_SAFETENSORS = """\
import json

import torch
{imports}from mmengine.config import Config
from mmpretrain import get_model
from safetensors import safe_open

with safe_open('{file}', 'pt') as weights:
    config = json.loads(weights.metadata()['config'])
    state = {{key: weights.get_tensor(key) for key in weights.keys()}}
network = get_model(Config({{'model': config}}))
network.load_state_dict(state)
with torch.no_grad():
    logits = network(torch.from_numpy(inputs)).numpy()"""


def mmpretrain(student: Student, file: str) -> str:
    """mmpretrain's inferencer."""
    return _MMPRETRAIN.format(file=file)


def onnx(student: Student, file: str) -> str:
    """ONNX Runtime, which needs neither PyTorch nor this project."""
    return _ONNX.format(file=file)


def torch_export(student: Student, file: str) -> str:
    """PyTorch alone."""
    return _TORCH_EXPORT.format(file=file)


def timm_folder(student: Student, file: str) -> str:
    """timm, from the folder."""
    return _TIMM_FOLDER


def safetensors(student: Student, file: str) -> str:
    """timm where the student is one of its networks, mmpretrain elsewhere."""
    options = timm_options(student.config)
    if options is not None:
        arguments = ", ".join(f"{key}={value!r}" for key, value in options.items())
        return _TIMM.format(file=file, options=arguments)
    imports = "".join(f"import {module}\n" for module in student.foreign)
    return _SAFETENSORS.format(file=file, imports=imports)
