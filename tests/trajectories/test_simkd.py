"""SimKD's twelve steps: its student has a projector, and no classifier of its own."""

from __future__ import annotations

from cls_kd.models import ProjectedBackbone
from cls_kd.registry import MODELS
from tests.trajectories.reference import FILES, read
from tests.trajectories.test_trajectories import (
    APART,
    build,
    check_losses,
    check_student,
    fill,
    float64,
    method,
    network,
    our_names,
    steps,
)

__all__ = ["float64"]


def test_twelve_steps_are_those_of_the_reference() -> None:
    (file,) = (file for file in FILES if method(file) in APART)
    trajectory = read(file)
    plain = network(trajectory.meta["networks"]["student"])
    backbone = dict(type=ProjectedBackbone, backbone=plain["backbone"], out_channels=64)
    distiller = build(trajectory, {**plain, "backbone": backbone}, student_frozen=["head"])
    projected = distiller.student.backbone
    started = MODELS.build(plain)
    fill(started, trajectory, "student")
    projected.backbone.load_state_dict(started.backbone.state_dict())
    entries = [(name, shape) for name, shape, _ in trajectory.meta["connectors"]]
    projector = trajectory.start(entries)
    projected.projector.load_state_dict(
        {name.removeprefix("transfer."): value for name, value in projector.items()}
    )
    logs = steps(distiller, trajectory)
    check_losses(logs, trajectory)
    names = our_names(trajectory, started)
    # The reference's student also has a classifier, which decays without a gradient.
    kept = {name: f"backbone.{key}" for name, key in names.items() if key.startswith("backbone.")}
    assert len(names) - len(kept) == 2
    check_student(distiller.student, trajectory, kept)
