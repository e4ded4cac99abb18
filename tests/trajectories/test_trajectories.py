"""Twelve training steps of ours against twelve of the references' own trainers, in float64.

The references are public repositories (`meta["reference"]` of each file); the student is ResNet-8,
the teacher ResNet-20. The tolerance is 1e-8, relative; what rounding alone makes of the same steps
is 1e-11 or less. Tried on files with one thing wrong: weight decay off by 1e-8 gives 5e-7, the
temperature off by 1e-6 gives 1e-2.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch import Tensor

from cls_kd.adapters.samples import BatchSamples
from cls_kd.data import BatchPreprocessor
from cls_kd.distillers import Distiller
from cls_kd.distillers.convert import convert
from cls_kd.engine.optim import SeparateGradientsOptimWrapper
from cls_kd.optimizers import SeparateGradients
from cls_kd.registry import OPTIMIZERS, resolve
from cls_kd.runs.compose import read_config
from tests.engine.tiny_runs import ROOT
from tests.losses.reference import renamed
from tests.losses.test_reviewkd import REVIEW_FUSIONS
from tests.trajectories.reference import FILES, Trajectory, read

TOLERANCE = 1e-8
# Of each method: the beginning of the reference's names of learned parts, and of ours inside the
# loss. Left out is what has no effect: a bias before batch norm, and the running mean that only
# holds this bias.
CONNECTORS = {
    "fitnet": {
        "conv_reg.conv.weight": "connector.0.weight",
        "conv_reg.bn.weight": "connector.1.weight",
        "conv_reg.bn.bias": "connector.1.bias",
        "conv_reg.bn.running_var": "connector.1.running_var",
    },
    "crd": {
        "embed_s": "student_embed",
        "embed_t": "teacher_embed",
        "contrast.memory_v1": "bank.student",
        "contrast.memory_v2": "bank.teacher",
    },
    "itrd": {"embed.linear.weight": "embed.weight", "embed.linear.bias": "embed.bias"},
    "ctkd": {"mlp.global_T": "raw_temperature"},
    "reviewkd": REVIEW_FUSIONS,
    "ofd": {"connectors.": ""},
    "vid": {"": "gaussians."},
    "vid_fixed": {
        **{f"regressors.{stage}": f"gaussians.{stage}.regressor" for stage in range(3)},
        **{f"log_scales.{stage}": f"gaussians.{stage}.log_scale" for stage in range(3)},
    },
    "ickd": {"embed_s.conv2d": "connector.0", "embed_s.l2norm": "connector.1"},
}


# Files of methods that change the student: the tests that read them.
APART = {"simkd": "test_simkd.py"}
# Methods that are a variant of another: the other's name, and options that differ.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "vid_fixed": ("vid", {"learn_variance": False}),
}


# Attributes of the loss that are otherwise in the reference: mdistiller's KDSVD decomposes
# matrices (C * h, w).
ATTRIBUTES: dict[str, dict[str, Any]] = {
    "kdsvd": {"matrices": lambda maps: maps.flatten(1, 2)},
}


class DoublePreprocessor(BatchPreprocessor):
    """The normalization in float64; `BatchPreprocessor` casts images to float32."""

    def _normalized(self, images: Any) -> Tensor:
        return (images.double() - self.mean) / self.std


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def method(file: Path) -> str:
    return file.stem.partition("-")[0]


def network(name: str) -> dict[str, Any]:
    return read_config(ROOT / "configs" / "networks" / f"cifar_{name}.py").to_dict()[
        f"cifar_{name}"
    ]


def losses_of(trajectory: Trajectory) -> dict[str, Any]:
    """The losses that the file names, or else those of the method's config, by its terms."""
    if trajectory.meta["cls_kd"] is not None:
        return trajectory.meta["cls_kd"]
    name = trajectory.meta["method"]
    method, options = VARIANTS.get(name, (name, {}))
    losses = read_config(ROOT / "configs" / "methods" / f"{method}.py").to_dict()["losses"]
    losses["kd"] = losses.pop(method) | options
    return losses


def distiller_of(trajectory: Trajectory) -> Distiller:
    """Both networks and all learned parts as the reference's start."""
    distiller = build(trajectory, network(trajectory.meta["networks"]["student"]))
    fill(distiller.student, trajectory, "student")
    connect(distiller, trajectory)
    return distiller


def build(trajectory: Trajectory, student: dict[str, Any], **options: Any) -> Distiller:
    """A distiller of this student whose teacher is as the reference's."""
    meta = trajectory.meta
    mean, std = ([255 * value for value in meta["normalisation"][key]] for key in ("mean", "std"))
    distiller = Distiller(
        student,
        losses_of(trajectory),
        dict(network=network(meta["networks"]["teacher"]), weights="random"),
        input_shape=(3, 32, 32),
        num_samples=meta["options"].get("num_samples"),
        data_preprocessor=DoublePreprocessor(
            mean=mean, std=std, num_classes=meta["classes"]
        ).double(),
        **options,
    )
    fill(distiller.teachers[0].network, trajectory, "teacher")
    distiller.time.epoch, distiller.time.max_epochs = 100, 240  # weights are warm
    return distiller


def fill(built: torch.nn.Module, trajectory: Trajectory, role: str) -> None:
    start = trajectory.start(trajectory.entries(role))
    built.load_state_dict(convert(start, built, role)[0])


def connect(distiller: Distiller, trajectory: Trajectory) -> None:
    entries = [(name, shape) for name, shape, _ in trajectory.meta["connectors"]]
    names = CONNECTORS.get(trajectory.meta["method"], {})
    own = distiller.losses["kd"].state_dict() if entries else {}
    for name, value in trajectory.start(entries).items():
        if name.startswith(tuple(names)):
            entry = own[renamed(name, names)]
            entry.copy_(value.view(entry.shape))
    for name, value in ATTRIBUTES.get(trajectory.meta["method"], {}).items():
        setattr(distiller.losses["kd"], name, value)
    if "contrast" in trajectory.arrays:
        places = iter(torch.as_tensor(trajectory.arrays["contrast"]))
        distiller.losses["kd"].bank.draw = lambda *_: next(places)


def steps(distiller: Distiller, trajectory: Trajectory) -> list[dict[str, float]]:
    """Train along the batches; the logged losses of each step."""
    options = trajectory.meta["optimizer"]
    kind = resolve(OPTIMIZERS, options["type"])
    apart = issubclass(kind, SeparateGradients)
    wrapper = dict(
        type=SeparateGradientsOptimWrapper if apart else OptimWrapper,
        optimizer={**options, "type": kind},
    )
    optimizer = build_optim_wrapper(distiller, wrapper)
    distiller.train()
    distiller.time.epoch = trajectory.meta["options"].get("epoch", 101) - 1  # theirs counts from 1
    distiller.time.max_epochs = 240
    arrays, logs = trajectory.arrays, []
    for step, (images, labels) in enumerate(zip(arrays["images"], arrays["labels"], strict=True)):
        index = arrays["index"][step] if "index" in arrays else np.arange(len(labels))
        samples = BatchSamples(torch.as_tensor(labels), torch.as_tensor(index))
        data = dict(inputs=torch.as_tensor(images), data_samples=samples)
        logged = distiller.train_step(data, optimizer)
        logs.append({name: value.detach().item() for name, value in logged.items()})
    return logs


def term(log: dict[str, float], name: str) -> float:
    """All of one loss, or that part of a loss which has the name."""
    return sum(
        value
        for key, value in log.items()
        if key.startswith(f"{name}.loss") or key.endswith(f".loss_{name}")
    )


def our_names(trajectory: Trajectory, student: torch.nn.Module) -> dict[str, str]:
    """The reference's names to ours: a number for each entry is sent through the converter."""
    entries = trajectory.entries("student")
    numbered = {
        name: torch.full(tuple(shape), float(place)) for place, (name, shape) in enumerate(entries)
    }
    converted, _ = convert(numbered, student, "numbered")
    return {entries[int(value.flatten()[0])][0]: key for key, value in converted.items()}


@pytest.mark.parametrize(
    "file", [file for file in FILES if method(file) not in APART], ids=lambda file: file.stem
)
def test_twelve_steps_are_those_of_the_reference(file: Path) -> None:
    trajectory = read(file)
    distiller = distiller_of(trajectory)
    logs = steps(distiller, trajectory)
    check_losses(logs, trajectory)
    check_student(distiller.student, trajectory, our_names(trajectory, distiller.student))


def check_losses(logs: list[dict[str, float]], trajectory: Trajectory) -> None:
    arrays = trajectory.arrays
    ours = np.array([log["loss"] for log in logs])
    np.testing.assert_allclose(ours, arrays["loss"], rtol=TOLERANCE, err_msg="loss")
    for name in trajectory.meta["terms"]:
        ours = np.array([term(log, name) for log in logs])
        np.testing.assert_allclose(ours, arrays[f"loss.{name}"], rtol=TOLERANCE, err_msg=name)


def check_student(student: torch.nn.Module, trajectory: Trajectory, names: dict[str, str]) -> None:
    """Compare the student after the last step, entry by entry: the reference's names to ours."""
    state, arrays = student.state_dict(), trajectory.arrays
    for name, key in names.items():
        values = state[key].double().flatten().numpy()
        norm, *sampled = arrays[f"final.{name}"]
        np.testing.assert_allclose(np.linalg.norm(values), norm, rtol=TOLERANCE, err_msg=name)
        margin = TOLERANCE * norm / values.size**0.5
        np.testing.assert_allclose(
            values[arrays[f"at.{name}"]],
            sampled,
            rtol=0,
            atol=margin,
            err_msg=name,
        )


def test_files_are_of_these_methods() -> None:
    methods = {read(file).meta["method"] for file in FILES}
    assert methods >= {"kd", "dkd", "at", "fitnet", "rkd", "crd", "dist", "nkd", "lskd_kd", "dot"}
