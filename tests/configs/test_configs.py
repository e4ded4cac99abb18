"""Every config parses, is dumped, reads back the same, and builds, alone and with every method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from cls_kd.engine import Run, load_config, plan, train
from cls_kd.engine.smoke_config import OF_WHOLE_IMAGES
from cls_kd.errors import UserError
from cls_kd.registry import MODELS
from cls_kd.runs.compose import known_methods, read_config
from tests.distillers import tiny
from tests.engine import tiny_runs

CONFIGS = tiny_runs.ROOT / "configs"
FILES = sorted(
    file
    for file in CONFIGS.rglob("*.py")
    if "_base_" not in file.parts and not file.stem.startswith("_")
)
# The pairs here are convolutional networks; branches learn by methods of their own.
LOSSES = {name: read_config(file).to_dict()["losses"] for name, file in known_methods().items()}
ONLINE = sorted(name for name, losses in LOSSES.items() if tiny.wants_branches(losses))
SEVERAL = sorted(name for name, losses in LOSSES.items() if tiny.wants_teachers(losses))
PROJECTED = sorted(name for name, losses in LOSSES.items() if tiny.wants_projector(losses))
METHODS = sorted(
    name
    for name, losses in LOSSES.items()
    if name not in {*ONLINE, *PROJECTED, *SEVERAL}
    and not tiny.wants_tokens(losses)
    and not (tiny.wants_expansion(losses) and name != "norm")
)


def named(file: Path) -> str:
    return str(file.relative_to(CONFIGS).with_suffix(""))


# Some hundred trainings: all are read and dumped here, some are built; `make configs` trains each
# for two steps.
BENCHMARKS = [
    file
    for file in FILES
    if file.relative_to(CONFIGS).parts[0] in ("baselines", "benchmarks", "pairs")
]
SOME_BENCHMARKS = [
    CONFIGS / "baselines" / "imagenet" / "regnetx_1_6gf.py",
    CONFIGS / "benchmarks" / "uskd" / "imagenet" / "shufflenet_v2.py",
    CONFIGS / "benchmarks" / "vitkd_nkd" / "imagenet" / "deit3_small_deit_tiny.py",
    *sorted(CONFIGS.glob("benchmarks/*/cifar100/vgg13_mobilenet_v2.py")),
]
LARGE_NETWORKS = ("imagenet_deit_base", "imagenet_deit3_base", "imagenet_deit3_large")
LARGE_NETWORKS += ("imagenet_mixer_base", "imagenet_bit_resnet50")
PARSED = {file: read_config(file) for file in FILES if file not in BENCHMARKS}
TRAINABLE = [file for file, cfg in PARSED.items() if "train_cfg" in cfg and "model" in cfg]
TAKES_METHODS = [file for file in TRAINABLE if "{method}" in PARSED[file].get("runs", {})]
TAKES_METHODS.append(CONFIGS / "pairs" / "cifar100" / "resnet56_resnet20.py")
TRAINABLE += SOME_BENCHMARKS
TRAINABLE = [file for file in TRAINABLE if "densenet190" not in file.stem]
# They differ in the student alone; one of them is built.
FOUNDATION = [file for file in TRAINABLE if file.parent.name == "foundation"]
TRAINABLE = [file for file in TRAINABLE if file not in FOUNDATION or file.stem == "mobilenetv4"]
every_file = pytest.mark.parametrize("file", FILES, ids=named)
every_trainable = pytest.mark.parametrize("file", TRAINABLE, ids=named)


def test_there_are_configs_of_every_kind() -> None:
    folders = {file.relative_to(CONFIGS).parts[0] for file in FILES}
    assert {"digits", "methods", "networks"} <= folders
    assert tiny_runs.PAIR in TRAINABLE


@every_file
def test_a_dumped_config_is_the_same(file: Path, tmp_path: Path) -> None:
    cfg = PARSED.get(file) or read_config(file)
    cfg.dump(tmp_path / "dumped.py")
    again = read_config(tmp_path / "dumped.py")
    assert again.to_dict() == cfg.to_dict()
    assert again.pretty_text == cfg.pretty_text
    assert Config.fromfile(tmp_path / "dumped.py").to_dict() == cfg.to_dict()


def runs_of(cfg: Config) -> list[Run]:
    """One of each name: seeds change nothing that is built."""
    runs = {run.name: run for run in plan(cfg, Path("nowhere"))}
    return list(runs.values())


def build(run: Run, shape: tuple[int, ...], num_samples: int = 50) -> Any:
    """The distiller, with untrained teachers and without the data."""
    init_default_scope("cls_kd")
    model = run.cfg.to_dict()["model"]
    one = model.get("teacher")
    for teacher in one if isinstance(one, list) else [one] if one else []:
        teacher["weights"] = "random"
    model.pop("student_weights", None)
    if model.get("data_preprocessor") is None:
        model["data_preprocessor"] = run.cfg.to_dict().get("data_preprocessor")
    return MODELS.build(dict(model, input_shape=shape, num_samples=num_samples))


def shape_of(cfg: Config) -> tuple[int, ...]:
    """As small as the networks of this config can take it."""
    text = cfg.pretty_text
    if "Digits" in text:
        return (1, 8, 8)
    whole = any(name in text for name in OF_WHOLE_IMAGES)
    side = 32 if "CIFAR" in text else 224 if whole else 64
    return (3, side, side)


@every_trainable
def test_every_run_builds(file: Path) -> None:
    cfg = load_config(file)
    # Runs that differ in the seed, the data or the schedule have one model.
    distinct = {str(run.cfg.to_dict()["model"]): run for run in runs_of(cfg)}
    for run in distinct.values():
        model = build(run, shape_of(cfg))
        assert any(one.requires_grad for one in model.parameters())


def test_students_of_foundation_models() -> None:
    students = {PARSED[file].model.student.model_name for file in FOUNDATION}
    assert students == {
        "resnet50",
        "convnext_tiny",
        "vit_small_patch16_224",
        "mobilenetv4_conv_medium",
    }
    assert all(timm.is_model(name) for name in students)


# NORM's student is made for the width of its teacher, or a part of it.
NORM = {"model.student.type": "NToOneClassifier", "model.student.teacher_channels": 64}
BRANCHES = CONFIGS / "digits" / "branches.py"
TEACHERS = CONFIGS / "digits" / "teachers.py"
# One of each kind of connector; tests/distillers has every method on small networks.
TRANSFORMERS = [
    CONFIGS / "digits" / f"{name}.py"
    for name in ("distillation_token", "transformer", "transformer_of_cnn")
]
OF_REAL_SIZE = ("crd", "fitnet", "kd", "nkd", "ofd", "reviewkd", "semckd", "vid", "wkd_l")
PAIRS = [
    (file, method)
    for file in TAKES_METHODS
    if file not in (BRANCHES, TEACHERS, *TRANSFORMERS)
    for method in (METHODS if file == tiny_runs.PAIR else OF_REAL_SIZE)
]
PAIRS += [(file, method) for file in TRANSFORMERS for method in ("kd", "nkd", "wkd_l", "semckd")]
PAIRS += [(BRANCHES, method) for method in ONLINE]
PAIRS += [(TEACHERS, method) for method in SEVERAL]


@pytest.mark.parametrize("method", ONLINE)
def test_an_online_method_is_refused_where_there_are_no_branches(method: str) -> None:
    with pytest.raises(UserError, match="MultiBranchClassifier"):
        load_config(tiny_runs.PAIR, method=method)


@pytest.mark.parametrize("method", PROJECTED)
def test_a_method_with_a_projector_is_refused_where_there_is_none(method: str) -> None:
    cfg = load_config(tiny_runs.PAIR, method=method)
    with pytest.raises(UserError, match="ProjectedBackbone"):
        build(runs_of(cfg)[-1], shape_of(cfg))


@pytest.mark.parametrize(
    ("file", "method"), [pytest.param(*pair, id=f"{named(pair[0])}-{pair[1]}") for pair in PAIRS]
)
def test_every_pair_builds_with_every_method(file: Path, method: str) -> None:
    cfg = load_config(file, method=method, options=NORM if method == "norm" else None)
    run = runs_of(cfg)[-1]
    if "negatives" in str(run.cfg.model.losses):
        run.cfg.model.losses.crd.negatives = 8
    expected = set(read_config(known_methods()[method]).losses)
    assert set(run.cfg.model.losses) == expected
    assert set(build(run, shape_of(cfg)).losses) == expected


def test_assistants_are_a_chain_from_the_teacher_to_the_student() -> None:
    runs = plan(load_config(CONFIGS / "digits" / "assistants.py"), Path("nowhere"))
    needs = {run.name: {other.name for other in run.depends_on.values()} for run in runs}
    assert needs == {
        "teacher": set(),
        "large": {"teacher"},
        "small": {"large"},
        "kd": {"teacher"},
        "takd": {"small"},
        "dgkd": {"teacher", "large", "small"},
    }


def test_students_of_early_checkpoints_go_along_their_teacher_s_route() -> None:
    runs = plan(load_config(CONFIGS / "digits" / "checkpoints.py"), Path("nowhere"))
    assert {run.name: set(run.depends_on) for run in runs} == {
        "teacher": set(),
        "kd": {"run:teacher"},
        "eskd": {"run:teacher@7"},
        "rco_5": {"run:teacher@5"},
        "rco_10": {"run:teacher@10", "run:rco_5"},
        "rco_15": {"run:teacher@15", "run:rco_10"},
        "rco_20": {"run:teacher@20", "run:rco_15"},
    }
    whole = runs[1].cfg.train_cfg.max_epochs
    assert sum(run.cfg.train_cfg.max_epochs for run in runs[3:]) == whole
    assert all(run.cfg.model.student_weights.startswith("run:rco_") for run in runs[4:])


def test_annealing_goes_on_from_logits_to_labels() -> None:
    runs = plan(load_config(CONFIGS / "digits" / "annealing.py"), Path("nowhere"))
    logits, labels = runs[-2:]
    assert set(logits.cfg.model.losses) == {"annealing"}
    assert labels.depends_on == {"run:annealing": logits}
    assert (labels.cfg.model.student_weights, labels.cfg.model.teacher) == ("run:annealing", None)
    assert set(labels.cfg.model.losses) == {"ce"}
    assert labels.cfg.train_cfg.max_epochs * 2 == logits.cfg.train_cfg.max_epochs


def test_funmatch_and_vanilla_kd_mix_images_for_both_networks() -> None:
    for name, losses, epochs, batch in (
        ("bit_resnet152x2_bit_resnet50", {"kd"}, 1200, 4096),
        ("beitv2_base_resnet50", {"ce", "kd"}, 300, 2048),
    ):
        (run,) = plan(load_config(CONFIGS / "pairs" / "imagenet" / f"{name}.py"), Path("nowhere"))
        assert set(run.cfg.model.losses) == losses
        assert run.cfg.data_preprocessor.batch_augments.augments[0]["type"].endswith("Mixup")
        assert (run.cfg.train_cfg.max_epochs, run.cfg.auto_scale_lr.base_batch_size) == (
            epochs,
            batch,
        )


NETWORKS = [f for f in FILES if f.parent.name == "networks" and f.stem not in LARGE_NETWORKS]


@pytest.mark.parametrize("file", NETWORKS, ids=named)
def test_every_network_builds_and_gives_logits(file: Path) -> None:
    (network,) = (value for value in PARSED[file].to_dict().values() if isinstance(value, dict))
    shape = shape_of(PARSED[file])
    if "DigitsCNN" in str(network):
        shape = (1, 8, 8)
    init_default_scope("cls_kd")
    built = MODELS.build(network).eval()
    logits = built(torch.zeros(2, *shape))
    assert logits.shape == (2, network.get("head", network)["num_classes"])


def test_a_dumped_config_trains_again_to_the_same_bits(
    digits_teacher: Path, tmp_path: Path
) -> None:
    cfg = tiny_runs.config(digits_teacher, method="dkd", epochs=1)
    train(tiny_runs.single(cfg, tmp_path / "first"))
    again = load_config(tmp_path / "first" / "config.py")
    second = tiny_runs.single(again, tmp_path / "second")
    train(second)
    assert second.digest() == tiny_runs.single(cfg, tmp_path / "first").digest()
    first, other = (tiny_runs.state(tmp_path / name) for name in ("first", "second"))
    assert not tiny_runs.different(first, other)
