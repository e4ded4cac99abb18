"""Every file of configs/methods loads, is short, builds, and survives being written out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from cls_kd.core.terms import Term, build_loss, build_terms
from cls_kd.losses import DistillLoss
from cls_kd.signals import TrainingTime

FILES = sorted((Path(__file__).parents[2] / "configs" / "methods").glob("*.py"))
# Their targets, or the teacher's targets or features, take the place of the labels.
WITHOUT_CE = {"annealing_kd", "ban", "cwtm", "dgkd", "dkpp", "ipwd_ps_kd", "ps_kd", "simkd"}
WITHOUT_CE |= {"funmatch", "manifold", "stored_labels"}
every_method = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def build(losses: dict[str, Any]) -> dict[str, Term]:
    return build_terms(losses, build_loss)


def weight(term: Term, progress: float) -> float:
    time = TrainingTime(int(progress * 240), 240, step=round(progress * 24000), max_steps=24000)
    return term.weight(time)


def test_there_are_methods() -> None:
    assert {file.stem for file in FILES} >= {"ce", "kd", "nkd", "crd"}


@every_method
def test_losses_build(file: Path) -> None:
    config = Config.fromfile(file)
    losses = {name: term.loss for name, term in build(config.losses).items()}
    assert ("ce" in losses) == (file.stem not in WITHOUT_CE)
    assert all(isinstance(loss, DistillLoss) for loss in losses.values())
    public = {key for key, value in config.items() if not isinstance(value, type)}
    parts = {"losses", "student", "train_data", "optim_wrapper"}
    assert {key for key in public if key[0].islower()} <= parts
    assert len(file.read_text().splitlines()) <= 10


@every_method
def test_a_dumped_config_builds_the_same(file: Path, tmp_path: Path) -> None:
    config = Config.fromfile(file)
    config.dump(tmp_path / "dumped.py")
    dumped = build(Config.fromfile(tmp_path / "dumped.py").losses)
    for name, term in build(config.losses).items():
        assert type(dumped[name].loss) is type(term.loss)
        assert [weight(dumped[name], t / 10) for t in range(11)] == [
            weight(term, t / 10) for t in range(11)
        ]


@pytest.mark.parametrize(
    ("method", "loss", "progress", "expected"),
    [
        ("kd", "ce", 0.5, 0.1),
        ("kd", "kd", 0.5, 0.9),
        ("dkd", "dkd", 0.0, 1 / 20),
        ("dkd", "dkd", 9.5 / 240, 0.5),
        ("dkd", "dkd", 0.5, 1.0),
        ("dkd_standardized", "dkd", 0.5, 9.0),
        ("kd_standardized", "kd", 0.5, 9.0),
        ("dist", "dist", 0.5, 2.0),
        ("fitnet", "fitnet", 0.5, 100.0),
        ("at", "at", 0.5, 1000.0),
        ("rkd", "rkd", 0.5, 1.0),
        ("crd", "crd", 0.5, 0.8),
        ("twice_ce", "ce", 0.5, 2.0),
        ("tf_nkd", "tf_nkd", 0.5, 1.0),
        ("wsld", "wsld", 0.5, 2.25),
        ("mgd", "mgd", 0.5, 1.2e-3),
        ("tsd", "ce", 0.5, 0.6),
        ("tsd", "tsd", 0.5, 0.4),
        ("label_smoothing", "ce", 0.5, 0.9),
        ("tfkd_reg", "tfkd", 0.5, 0.1),
        ("tfkd_self", "kd", 0.5, 0.475),
        ("ickd", "ickd", 0.5, 2.5),
        ("vid", "vid", 0.5, 1.0),
        ("nst", "nst", 0.5, 50.0),
        ("fsp", "fsp", 29 / 240, 1.0),
        ("fsp", "ce", 29 / 240, 0.0),
        ("fsp", "fsp", 30 / 240, 0.0),
        ("fsp", "ce", 30 / 240, 1.0),
        ("ab", "ab", 29 / 240, 1.0),
        ("ab", "ce", 29 / 240, 0.0),
        ("ab", "ab", 30 / 240, 0.0),
        ("ab", "ce", 30 / 240, 1.0),
        ("ofd", "ofd", 0.5, 1e-3),
        ("reviewkd", "reviewkd", 9.5 / 240, 2.5),
        ("reviewkd", "reviewkd", 0.5, 5.0),
        ("afd", "afd", 0.5, 200.0),
        ("afd", "kd", 0.5, 0.9),
        ("ttm", "ttm", 0.5, 45.0),
        ("rld", "rld", 9.5 / 240, 0.5),
        ("luminet", "ce", 0.5, 2.0),
        ("normkd", "normkd", 0.5, 0.9),
        ("mkl", "mkl", 9.5 / 240, 4.0),
        ("mkl", "mkl", 0.5, 8.0),
        ("abkd", "abkd", 0.5, 32.0),
        ("gkd", "gkd", 0.5, 1.0),
    ],
)
def test_published_weights(method: str, loss: str, progress: float, expected: float) -> None:
    (file,) = (file for file in FILES if file.stem == method)
    term = build(Config.fromfile(file).losses)[loss]
    assert weight(term, progress) == pytest.approx(expected)
