"""A trained student without this project: for mmpretrain, as safetensors, as ONNX.

Everything is written to a folder of temporary name, read back, compared with the student, and only
then moved to its place.
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain import get_model
from mmpretrain.apis import ModelHub
from safetensors.torch import load_file, save
from torch import Tensor, nn

from cls_kd.distillers.networks import build_network
from cls_kd.distillers.weights import load_weights
from cls_kd.engine.data import build_dataset, image_shape
from cls_kd.errors import UserError
from cls_kd.models.multi_branch import MultiBranchClassifier, check_deploy
from cls_kd.registry import MODELS
from cls_kd.signals.heads import describe

FORMATS = ("mmpretrain", "safetensors", "onnx")
TOLERANCE = 1e-4
"""How far ONNX Runtime's logits may be from the student's, absolute and relative."""

_BATCHES = (1, 3)
_TIMM = "timm:"
# Packages that whoever has mmpretrain has as well.
_COMMON = ("torch", "torchvision", "mmengine", "mmcv", "mmpretrain", "timm")
_IN_TRAINING = ("train_cfg", "init_cfg", "pretrained")


@dataclass
class Student:
    """A trained student, and what its user must know.

    Attributes:
        network: In eval mode.
        config: Config of the network, as mmpretrain's API builds it.
        preprocessor: ``mean``, ``std``, ``to_rgb``, as the config has them, on the scale 0 to 255.
        shape: Of one image, (C, H, W).
        classes: Their names, where the data know them.
        pipeline: Transforms of one test image.
        note: Where the weights come from.
        foreign: Modules outside of mmpretrain and timm that the network is made of.
    """

    network: nn.Module
    config: dict[str, Any]
    preprocessor: dict[str, Any]
    shape: tuple[int, ...]
    classes: list[str]
    pipeline: list[dict[str, Any]]
    note: str
    foreign: list[str] = field(default_factory=list)

    def inputs(self, batch: int) -> Tensor:
        """Normalised images that are the same in every call, (batch, C, H, W)."""
        return torch.randn(batch, *self.shape, generator=torch.Generator().manual_seed(batch))

    @torch.no_grad()
    def logits(self, batch: int) -> Tensor:
        """What it says of ``inputs(batch)``, (batch, K)."""
        return self.network(self.inputs(batch))


def read_student(
    cfg: Config,
    checkpoint: str,
    shape: Sequence[int] | None = None,
    branch: int | str | None = None,
) -> Student:
    """The student of a run with the weights of a checkpoint.

    Args:
        cfg: Config of one run.
        checkpoint: Of ours, or a plain one of the same network; every key must match.
        shape: Of one image. Default: measured on the test data.
        branch: Of a student of several branches: the place of one, or ``'ensemble'``. Default: what
            its config deploys. One branch becomes an ordinary classifier, without the others.

    Raises:
        UserError: The weights do not fit, the data are not there and ``shape`` is not given, or
            there is no such branch.
    """
    init_default_scope(cfg.get("default_scope", "cls_kd"))
    if "student" not in cfg.get("model", {}):
        raise UserError("The config has no model.student: it is not a config of this project.")
    network = build_network(cfg.model.student).eval()
    if branch is not None and not isinstance(network, MultiBranchClassifier):
        raise UserError(
            f"--branch {branch}: the student {describe(network)} has no branches; a "
            "MultiBranchClassifier has."
        )
    note = load_weights(network, checkpoint)
    network, config = _deployable(network, network_config(cfg.model.student), branch)
    preprocessor = cfg.model.get("data_preprocessor", cfg.get("data_preprocessor")) or {}
    data: Mapping[str, Any] = cfg[_loaders(cfg)[0]].dataset if _loaders(cfg) else {}
    foreign = {_module(part) for part in network.modules()}
    return Student(
        network,
        config,
        {key: preprocessor[key] for key in preprocessor if key in ("mean", "std", "to_rgb")},
        tuple(shape or cfg.model.get("input_shape") or _measured(cfg)),
        _classes(data),
        [dict(one) for one in data.get("pipeline", [])],
        note,
        sorted(module for module in foreign if module.split(".")[0] not in _COMMON),
    )


def _deployable(
    network: nn.Module, config: dict[str, Any], branch: int | str | None
) -> tuple[nn.Module, dict[str, Any]]:
    """Of several branches the chosen one, or all of them to answer together; with its config."""
    if not isinstance(network, MultiBranchClassifier):
        return network, config
    chosen = check_deploy(network.deploy if branch is None else branch, len(network.branches))
    if isinstance(chosen, str):
        network.deploy = chosen
        return network, {**config, "deploy": chosen}
    parts = {key: config[key] for key in ("backbone", "neck", "head") if config.get(key)}
    return network.branch(chosen).eval(), {"type": "ImageClassifier", **parts}


def export(student: Student, out_dir: Path, formats: Sequence[str]) -> dict[str, float]:
    """Write a student in each format and check each file.

    Args:
        student: From ``read_student``.
        out_dir: Made where it is missing; files of the same names in it are replaced.
        formats: Some of ``FORMATS``.

    Returns:
        File name to the largest difference between its logits and the student's.

    Raises:
        UserError: A package is missing, or what was written does not give the student's logits;
            then nothing is left behind.
    """
    writers: dict[str, Callable[[Student, Path], dict[str, float]]] = {
        "mmpretrain": write_mmpretrain,
        "safetensors": write_safetensors,
        "onnx": write_onnx,
    }
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{out_dir.name}.", dir=out_dir.parent))
    try:
        differences: dict[str, float] = {}
        for name in formats:
            differences.update(writers[name](student, temporary))
        out_dir.mkdir(exist_ok=True)
        for file in sorted(temporary.iterdir()):
            file.replace(out_dir / file.name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return differences


def write_mmpretrain(student: Student, folder: Path) -> dict[str, float]:
    """``student.pth`` and ``student_config.py``, for ``mmpretrain.get_model``."""
    weights, config = folder / "student.pth", folder / "student_config.py"
    meta = {"dataset_meta": {"classes": student.classes}} if student.classes else {}
    torch.save({"state_dict": student.network.state_dict(), "meta": meta}, weights)
    parts: dict[str, Any] = {"model": student.config}
    if student.preprocessor:
        parts["data_preprocessor"] = dict(student.preprocessor)
    if student.classes and not any("cls_kd." in str(one["type"]) for one in student.pipeline):
        # What mmpretrain's inferencer does to an image. (Without classes, mmpretrain would ask the
        # data set for them.)
        parts["test_dataloader"] = {"dataset": {"pipeline": student.pipeline}}
    if student.foreign:
        imports = {"imports": student.foreign, "allow_failed_imports": False}
        parts["custom_imports"] = imports
    config.write_text(_header(student) + Config(parts).pretty_text)
    with redirect_stdout(io.StringIO()):
        loaded = get_model(str(config), pretrained=str(weights))
    return {weights.name: _difference(student, loaded, exact=True)}


def write_safetensors(student: Student, folder: Path) -> dict[str, float]:
    """``student.safetensors``, with what a user must know in its metadata."""
    file = folder / "student.safetensors"
    state = {key: value.clone().contiguous() for key, value in student.network.state_dict().items()}
    file.write_bytes(save(state, metadata=_metadata(student)))
    read = load_file(file)
    if set(read) != set(state) or any(not torch.equal(read[key], state[key]) for key in state):
        raise UserError(f"{file.name} does not hold what was written to it.")
    return {file.name: 0.0}


def write_onnx(student: Student, folder: Path) -> dict[str, float]:
    """``student.onnx``: normalised ``inputs`` (batch, C, H, W) to ``logits`` (batch, K)."""
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"ONNX export needs the package {error.name}: pip install onnx onnxruntime onnxscript."
        ) from error
    file = folder / "student.onnx"
    # Two images: an axis of one may be taken for a constant.
    torch.onnx.export(
        student.network,
        (student.inputs(2),),
        file,
        dynamo=True,
        input_names=["inputs"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        external_data=False,
        verbose=False,
    )
    model = onnx.load(file)
    onnx.helper.set_model_props(model, _metadata(student))
    onnx.save(model, file)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])

    def run(inputs: Tensor) -> Tensor:
        return torch.from_numpy(session.run(["logits"], {"inputs": inputs.numpy()})[0])

    return {file.name: _difference(student, run, exact=False)}


def network_config(student: Mapping[str, Any] | str) -> dict[str, Any]:
    """A student's config as mmpretrain's API builds it: no names of ours, nothing for training."""
    if isinstance(student, str) and student.startswith(_TIMM):
        name = student.removeprefix(_TIMM)
        return {"type": "TimmClassifier", "model_name": name, "pretrained": False}
    config = ModelHub.get(student).config.model if isinstance(student, str) else student
    plain = Config({"model": config}).to_dict()["model"]
    return _deployed({key: value for key, value in plain.items() if key != "data_preprocessor"})


def _deployed(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: _deployed(item) for key, item in value.items() if key not in _IN_TRAINING}
        if isinstance(kept.get("type"), str):
            kept["type"] = _importable(kept["type"])
        return kept
    return [_deployed(item) for item in value] if isinstance(value, list | tuple) else value


def _importable(kind: str) -> str:
    """The dotted name of a class of ours or of a user's, which mmpretrain's registry has not."""
    try:
        found = MODELS.get(kind)
    except RuntimeError:  # not a model: an activation, a norm
        return kind
    module = getattr(found, "__module__", "torch")
    if module.split(".")[0] in _COMMON:
        return kind
    return f"{module}.{found.__qualname__}"


def _module(part: nn.Module) -> str:
    return type(part).__module__


def _loaders(cfg: Config) -> list[str]:
    keys = ("test_dataloader", "val_dataloader", "train_dataloader")
    return [key for key in keys if cfg.get(key)]


def _classes(data: Mapping[str, Any]) -> list[str]:
    if not data:
        return []
    try:
        names = build_dataset(data, lazy=True).metainfo.get("classes", ())
    except (OSError, RuntimeError, TypeError):
        # Names are a courtesy; the data need not be here.
        return []
    return [str(name) for name in names]


def _measured(cfg: Config) -> tuple[int, ...]:
    loaders = _loaders(cfg)
    if not loaders:
        raise UserError("The config has no data that could tell the shape of an image: say it.")
    try:
        return image_shape(build_dataset(cfg[loaders[0]].dataset))
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"The data of {loaders[0]} are not here to tell the shape of an image ({error}): say "
            "it, as --input-shape 3 224 224."
        ) from error


def _metadata(student: Student) -> dict[str, str]:
    return {
        "network": describe(student.network),
        "input_shape": json.dumps(student.shape),
        "mean": json.dumps(student.preprocessor.get("mean")),
        "std": json.dumps(student.preprocessor.get("std")),
        "to_rgb": json.dumps(bool(student.preprocessor.get("to_rgb", False))),
        "normalisation": "inputs = (image - mean) / std, on the scale 0 to 255",
        "classes": json.dumps(student.classes),
    }


def _header(student: Student) -> str:
    lines = [
        "# mmpretrain.get_model('student_config.py', pretrained='student.pth')",
        f"# Images of shape {student.shape}, normalised by the data_preprocessor.",
    ]
    if student.foreign:
        lines.append(f"# Needs, besides mmpretrain: {', '.join(student.foreign)}.")
    return "\n".join(lines) + "\n"


def _difference(student: Student, other: Callable[[Tensor], Tensor], exact: bool) -> float:
    """The largest difference of logits over two sizes of batch.

    Raises:
        UserError: It is too large.
    """
    largest = 0.0
    for batch in _BATCHES:
        with torch.no_grad():
            own, found = student.logits(batch), other(student.inputs(batch))
        tolerance = 0.0 if exact else TOLERANCE
        if own.shape != found.shape or not torch.allclose(own, found, tolerance, tolerance):
            raise UserError(
                f"The exported network does not give the student's logits for {batch} images: they "
                f"differ by up to {_gap(own, found)}. Nothing was written."
            )
        largest = max(largest, _gap(own, found))
    return largest


def _gap(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max()) if one.shape == other.shape else float("nan")
