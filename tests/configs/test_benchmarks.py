"""Benchmarks: figures and configs belong together, and the configs hold the published settings."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import timm
from mmengine.config import Config

from cls_kd.errors import UserError
from cls_kd.runs import default_work_dir
from cls_kd.runs.benchmarks import FOLDER, METAFILE, choose_cells, read_cells
from cls_kd.runs.compose import known_methods, read_config
from tests.engine.tiny_runs import ROOT

CONFIGS = ROOT / "configs"
CELLS = read_cells()
TORCHVISION = (73.31, 76.16)
WITH_LR_001 = ("mobilenet_v2", "shufflenet_v1", "shufflenet_v2")


@cache
def config(name: str) -> Any:
    return read_config(CONFIGS / f"{name}.py")


def benchmark(method: str, pair: str) -> Any:
    return config(f"benchmarks/{method}/{pair}")


def crd_pairs() -> list[str]:
    files = (CONFIGS / "pairs" / "cifar100").glob("*_*.py")
    return sorted(file.stem for file in files if file.stem != "resnet34_resnet18")


def test_every_cell_has_a_config_and_every_config_a_cell() -> None:
    files = {file.resolve() for file in FOLDER.rglob("*.py")}
    with_file = {cell.config.resolve() for cell in CELLS if cell.settings is None}
    assert with_file == files
    assert len(CELLS) > 700
    assert len(files) < 10, "a cell that a row can express is a row"
    assert all(cell.settings_from for cell in CELLS if cell.settings is not None)


def test_every_method_with_benchmarks_is_a_method() -> None:
    folders = {folder.name for folder in FOLDER.iterdir() if folder.is_dir()}
    assert folders == {cell.method for cell in CELLS}
    assert folders <= set(known_methods())


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.method}/{cell.pair}")
def test_a_benchmark_trains_its_pair_by_its_method(cell: Any) -> None:
    pair_config = cell.pair_config
    if cell.settings is None and cell.teacher in TORCHVISION:
        pair_config += "_torchvision"
    cfg, pair = benchmark(cell.method, cell.pair), config(f"pairs/{pair_config}")
    method = config(f"methods/{cell.method_config}")
    assert {name: loss["type"] for name, loss in cfg.model.losses.items()} == {
        name: loss["type"] for name, loss in method.losses.items()
    }
    teacher, expected = cfg.model.get("teacher"), pair.model.get("teacher")
    assert teacher == expected or {**teacher, "taps": None} == {**expected, "taps": None}
    student, expected = cfg.model.student, pair.model.student
    if "backbone" not in student:  # timm's
        assert student == expected
    elif student.backbone.type.endswith("ProjectedBackbone"):
        assert expected.backbone.type.endswith(student.backbone.backbone.type)
    else:
        assert student.backbone.type == expected.backbone.type
        assert student.head.in_channels == expected.head.in_channels
    assert cfg.train_dataloader.dataset == pair.train_dataloader.dataset
    assert cfg.get("train_data") == method.get("train_data")
    assert cfg.train_cfg == pair.train_cfg or "train_cfg" in cell.changes
    optimizer = method.get("optim_wrapper", pair.optim_wrapper).optimizer
    assert cfg.optim_wrapper.optimizer.type == optimizer.type
    assert cfg.optim_wrapper.optimizer.lr == pair.optim_wrapper.optimizer.lr or cell.changes
    assert (cell.teacher is None) or cfg.model.teacher is not None


def test_imagenet_cells_have_the_teacher_of_their_figure() -> None:
    for cell in CELLS:
        if cell.teacher in (73.31, 73.62, 76.16, 76.55):
            network = benchmark(cell.method, cell.pair).model.teacher.network
            assert network.startswith("timm:") == (cell.teacher in TORCHVISION), cell.name


def test_networks_on_cifar_are_those_of_crd_unless_the_note_says_so() -> None:
    known: dict[str, set[Any]] = {}
    for cell in CELLS:
        if cell.pair.startswith("cifar100/") and cell.teacher and "own" not in cell.note:
            known.setdefault(cell.pair, set()).add((cell.teacher, cell.student))
    assert len(known) == 13
    assert all(len(values) == 1 for values in known.values()), known


@pytest.mark.parametrize(
    ("method", "pair", "top1"),
    [
        ("kd", "cifar100/resnet32x4_resnet8x4", 73.33),
        ("crd", "cifar100/wrn40_2_shufflenet_v1", 76.05),
        ("dkd", "cifar100/resnet32x4_resnet8x4", 76.32),
        ("dkd", "imagenet/resnet50_mobilenet_v1", 72.05),
        ("nkd", "imagenet/resnet34_resnet18", 71.96),
        ("vitkd_nkd", "imagenet/deit3_base_deit_small", 83.59),
        ("uskd", "cifar100/resnet18", 79.90),
        ("vid", "cifar100/resnet50_mobilenet_v2", 67.57),
        ("itrd", "cifar100/resnet32x4_resnet8x4", 76.69),
        ("luminet", "imagenet/resnet34_resnet18", 72.16),
        ("sskd", "cifar100/wrn40_2_wrn40_1", 76.13),
        ("norm", "cifar100/vgg13_mobilenet_v2", 68.94),
        ("wttm", "imagenet/deit3_small_deit_tiny", 77.03),
        ("wttm_itrd", "cifar100/resnet32x4_resnet8x4", 77.36),
        ("wkd_lf", "imagenet/resnet34_resnet18", 72.76),
        ("cumulative_spatial", "imagenet/regnety_16gf_deit_base", 83.80),
    ],
)
def test_published_figures(method: str, pair: str, top1: float) -> None:
    (cell,) = [cell for cell in CELLS if (cell.method, cell.pair) == (method, pair)]
    assert cell.top1 == top1


def test_what_is_beside_the_protocol_says_so() -> None:
    tracks = {cell.name: cell.track for cell in CELLS}
    assert tracks["mlkd/cifar100/vgg13_vgg8"] == "longer"
    assert tracks["ntce_kd/imagenet/resnet34_resnet18"] == "extra views"
    assert tracks["kdpp/cifar100/resnet56_resnet20"] == "other recipe"
    assert tracks["mkl/cifar100/vgg13_vgg8"] == "protocol"


def test_one_source_is_of_one_epoch() -> None:
    epochs: dict[str, set[str]] = {}
    for cell in CELLS:
        epochs.setdefault(cell.source, set()).add(cell.epoch)
    assert {source: found for source, found in epochs.items() if len(found) > 1} == {}


def test_what_is_second_hand_says_so() -> None:
    marks = {(cell.method, cell.source): cell.second_hand for cell in CELLS}
    assert marks["nkd", "arXiv:2507.15911"]
    assert not marks["kd", "README of HobbitLong/RepDistiller"]


def test_a_gain_is_over_the_student_alone() -> None:
    (cell,) = choose_cells(CELLS, method="dkd", pair="imagenet/resnet34_resnet18")
    assert cell.gain == pytest.approx(71.70 - 69.75)
    (cell,) = choose_cells(CELLS, method="mgd", pair="cifar100/resnet34_resnet18")
    assert cell.gain is None


def test_a_cell_brings_the_data_the_optimizer_and_the_student_of_its_method() -> None:
    assert benchmark("mlkd", "cifar100/vgg13_vgg8").train_data.wrapper.type.endswith("StrongViews")
    optimizer = benchmark("dot", "imagenet/resnet34_resnet18").optim_wrapper.optimizer
    assert optimizer.type.endswith("DOT")
    assert (optimizer.delta, optimizer.lr) == (0.09, 0.2)
    student = benchmark("norm", "cifar100/wrn40_2_wrn16_2").model.student
    assert (student.type, student.teacher_channels) == ("NToOneClassifier", 128)


def test_a_cell_changes_its_schedule_and_stays_as_it_is() -> None:
    name = "benchmarks/simkd/cifar100/resnet32x4_resnet8x4"
    first, again = (read_config(CONFIGS / f"{name}.py").to_dict() for _ in range(2))
    assert first == again
    assert "_delete_" not in str(first["model"])
    assert benchmark("mlkd", "cifar100/resnet32x4_shufflenet_v2").train_cfg.max_epochs == 960
    assert benchmark("mlkd", "cifar100/resnet56_resnet20").optim_wrapper.optimizer.lr == 0.025


@pytest.mark.parametrize(
    ("method", "pair", "loss", "expected"),
    [
        ("luminet", "vgg13_mobilenet_v2", "luminet", {"alpha": 70.0, "temperature": 8.0}),
        ("cat_kd", "wrn40_2_shufflenet_v1", "cat", {"weight": 80.0, "normalize": True}),
        ("itrd", "resnet50_vgg8", "itrd", {"alpha": 1.5, "mutual_weight": 0.05}),
        ("wkd_l", "wrn40_2_shufflenet_v1", "wkd", {"gamma": 200.0, "temperature": 6.0}),
        ("sdd_kd", "vgg13_vgg8", "sdd", {"grids": [1, 2]}),
        ("kdpp", "resnet56_resnet20", "nd", {"weight": 2.0}),
        ("kdpp", "resnet32x4_shufflenet_v2", "nd", {"weight": 0.5}),
        ("dkd_nd", "resnet32x4_shufflenet_v1", "dkd", {"alpha": 0.5, "beta": 8.0}),
        ("wkd_f", "wrn40_2_shufflenet_v1", "wkd", {"mean_weight": 3.0, "grid": 4}),
        ("crld", "resnet56_resnet20", "crld", {"within_weight": 0.5}),
    ],
)
def test_published_settings_of_a_pair(
    method: str, pair: str, loss: str, expected: dict[str, Any]
) -> None:
    options = benchmark(method, f"cifar100/{pair}").model.losses[loss].to_dict()
    assert {key: options[key] for key in expected} == expected


# Settings -----------------------------------------------------------------------------------------


def test_dkd_as_published() -> None:
    cfg = benchmark("dkd", "cifar100/resnet32x4_resnet8x4")
    assert cfg.optim_wrapper.optimizer.lr == 0.05
    assert cfg.optim_wrapper.optimizer.weight_decay == 5e-4
    assert cfg.optim_wrapper.optimizer.momentum == 0.9
    assert cfg.train_dataloader.batch_size == 64
    assert cfg.param_scheduler[0]["milestones"] == [150, 180, 210]
    assert cfg.param_scheduler[0]["gamma"] == 0.1
    assert cfg.train_cfg.max_epochs == 240
    dkd = cfg.model.losses.dkd
    assert (dkd.get("alpha", 1.0), dkd.beta, dkd.get("temperature", 4.0)) == (1.0, 8.0, 4.0)
    assert dkd.weight["until"] == 20 / 240
    assert dkd.weight.get("value", 1.0) == 1.0
    assert cfg.model.losses.ce.get("weight", 1.0) == 1.0


@pytest.mark.parametrize(
    ("pair", "beta"),
    [
        ("resnet56_resnet20", 2.0),
        ("resnet110_resnet32", 2.0),
        ("vgg13_vgg8", 6.0),
        ("vgg13_mobilenet_v2", 6.0),
        ("wrn40_2_wrn16_2", 6.0),
        ("wrn40_2_wrn40_1", 6.0),
        ("resnet50_mobilenet_v2", 8.0),
        ("resnet32x4_shufflenet_v1", 8.0),
        ("wrn40_2_shufflenet_v1", 8.0),
    ],
)
def test_beta_of_dkd_by_pair(pair: str, beta: float) -> None:
    assert benchmark("dkd", f"cifar100/{pair}").model.losses.dkd.beta == beta
    standardized = benchmark("dkd_standardized", "cifar100/vgg13_vgg8").model.losses.dkd
    assert (standardized.loss.beta, standardized.loss.temperature) == (6.0, 2.0)


def test_there_are_the_thirteen_pairs_of_crd() -> None:
    assert len(crd_pairs()) == 13
    for method in ("kd", "fitnet", "at", "rkd", "crd", "dist", "dkd"):
        pairs = {cell.pair for cell in choose_cells(CELLS, method=method, pair="cifar100")}
        assert {f"cifar100/{pair}" for pair in crd_pairs()} <= pairs, method


@pytest.mark.parametrize("pair", crd_pairs())
def test_learning_rates_of_crd(pair: str) -> None:
    cfg = config(f"pairs/cifar100/{pair}")
    expected = 0.01 if pair.endswith(WITH_LR_001) else 0.05
    assert cfg.optim_wrapper.optimizer.lr == expected
    assert pair.startswith(f"{Path(cfg.model.teacher.weights).stem}_")


@pytest.mark.parametrize("file", sorted((CONFIGS / "pairs" / "cifar100").glob("*_*.py")))
def test_networks_of_a_cifar_pair_have_baselines_that_train_them(file: Path) -> None:
    cfg = config(f"pairs/cifar100/{file.stem}")
    weights = Path(cfg.model.teacher.weights)
    teacher = config(f"baselines/cifar100/{weights.stem}")
    assert teacher.model.student == cfg.model.teacher.network
    assert teacher.train_dataloader == cfg.train_dataloader
    name = file.stem.removeprefix(f"{weights.stem}_")
    alone = config(f"baselines/cifar100/{name}")
    assert alone.model.student == cfg.model.student
    assert list(alone.model.losses) == list(teacher.model.losses) == ["ce"]
    for key in ("optim_wrapper", "param_scheduler", "train_cfg", "data_preprocessor"):
        assert alone[key] == cfg[key], key


def test_nkd_as_published() -> None:
    cfg = benchmark("nkd", "cifar100/resnet34_resnet18")
    assert (cfg.model.losses.nkd.temperature, cfg.model.losses.nkd.gamma) == (3.0, 3.5)
    assert cfg.optim_wrapper.optimizer.weight_decay == 5e-4
    assert cfg.param_scheduler[0]["milestones"] == [60, 120, 160]
    assert cfg.param_scheduler[0]["gamma"] == 0.2
    assert cfg.train_dataloader.batch_size == 128
    cfg = benchmark("nkd", "imagenet/resnet50_mobilenet_v1")
    assert (cfg.model.losses.nkd.temperature, cfg.model.losses.nkd.gamma) == (1.0, 1.5)
    assert cfg.optim_wrapper.clip_grad.max_norm == 5.0
    assert "clip_grad" not in benchmark("nkd", "imagenet/resnet34_resnet18").optim_wrapper
    assert benchmark("nkd", "imagenet/deit3_small_deit_tiny").model.losses.nkd.gamma == 1.0


@pytest.mark.parametrize(
    ("name", "batch", "gpus"),
    [
        ("resnet50", 32, 8),
        ("mobilenet_v2", 32, 8),
        ("shufflenet_v2", 64, 16),
        ("regnetx_1_6gf", 128, 8),
        ("swin_tiny", 64, 16),
        ("deit_tiny", 256, 4),
        ("deit_base", 64, 16),
    ],
)
def test_batches_on_imagenet(name: str, batch: int, gpus: int) -> None:
    cfg = config(f"baselines/imagenet/{name}")
    assert cfg.train_dataloader.batch_size == batch
    assert cfg.auto_scale_lr == dict(enable=False, base_batch_size=batch * gpus)


def test_mdistiller_on_imagenet_is_a_batch_of_512() -> None:
    cfg = benchmark("dkd", "imagenet/resnet34_resnet18")
    assert cfg.train_dataloader.batch_size * 8 == cfg.auto_scale_lr.base_batch_size == 512
    assert cfg.optim_wrapper.optimizer.lr == 0.2
    assert (cfg.model.losses.dkd.beta, cfg.model.losses.dkd.weight) == (0.5, 1.0)


def test_transformers_learn_from_mixed_images_and_smoothed_labels() -> None:
    for cell in CELLS:
        if cell.pair.endswith(("deit_tiny", "_distilled", "deit_small", "deit_base", "swin_tiny")):
            cfg = benchmark(cell.method, cell.pair)
            assert len(cfg.data_preprocessor.batch_augments.augments) == 2
            assert cfg.model.student.head.loss["label_smooth_val"] == 0.1
            assert cfg.optim_wrapper.clip_grad.max_norm == 5.0
            keys = cfg.optim_wrapper.paramwise_cfg.custom_keys
            assert (".pos_embed" in keys) == ("deit" in cell.pair)


OFA_PAIRS = {
    "resnet18": ("deit_tiny", "swin_tiny", "mixer_base"),
    "mobilenet_v2": ("deit_tiny", "swin_tiny", "mixer_base"),
    "deit_tiny": ("resnet50", "convnext_tiny", "mixer_base"),
    "swin_nano": ("resnet50", "convnext_tiny", "mixer_base"),
    "resmlp_s12": ("resnet50", "convnext_tiny", "swin_tiny"),
}


@pytest.mark.parametrize("student", OFA_PAIRS)
def test_pairs_of_ofa(student: str) -> None:
    """Its configs/imagenet/cnn.yaml and vit_mlp.yaml; teachers are timm's, with their weights."""
    is_cnn = student in ("resnet18", "mobilenet_v2")
    for teacher in OFA_PAIRS[student]:
        cfg = config(f"pairs/imagenet/{teacher}_{student}")
        optimizer = cfg.optim_wrapper.optimizer
        expected = (64, 512, 0.1, 100) if is_cnn else (128, 1024, 5e-4, 300)
        batch = (cfg.train_dataloader.batch_size, cfg.auto_scale_lr.base_batch_size)
        assert (*batch, optimizer.lr, cfg.train_cfg.max_epochs) == expected
        network = cfg.model.student
        criterion = network.loss if "loss" in network else network.head.loss
        assert criterion["label_smooth_val"] == 0.1
        name = cfg.model.teacher.network.removeprefix("timm:")
        assert name in timm.list_models(f"{name.partition('.')[0]}.*", pretrained=True)


# A metafile that is wrong -------------------------------------------------------------------------

SOURCE = "{where: a README, epoch: last, second_hand: false}"
RESULT = "{top1: 71.0, teacher: null, student: 70.0, source: a}"


@pytest.mark.parametrize(
    ("source", "result", "words"),
    [
        (SOURCE, "{top1: 71.0, teacher: null, student: 70.0, source: b}", "no source 'b'"),
        (SOURCE, "{top1: 0.0, teacher: null, student: 70.0, source: a}", "percent"),
        (SOURCE, "{top1: high, teacher: null, student: 70.0, source: a}", "percent"),
        (SOURCE, "{top1: 71.0, student: 70.0, source: a}", "missing teacher"),
        (SOURCE, RESULT.replace("}", ", odd: 1}"), "unknown odd"),
        (SOURCE.replace("last", "first"), RESULT, "epoch is one of"),
        ("{where: a README}", RESULT, "missing epoch, second_hand"),
    ],
)
def test_a_wrong_metafile_is_refused(tmp_path: Path, source: str, result: str, words: str) -> None:
    folder = tmp_path / "kd"
    folder.mkdir()
    text = f"paper: P\nsources:\n  a: {source}\nresults:\n  cifar100/x: {result}\n"
    (folder / METAFILE).write_text(text)
    with pytest.raises(UserError, match=words):
        read_cells(tmp_path)


def test_a_right_metafile_is_read(tmp_path: Path) -> None:
    (tmp_path / "kd").mkdir()
    text = f"paper: P\nsources:\n  a: {SOURCE}\nresults:\n  cifar100/x: {RESULT}\n"
    (tmp_path / "kd" / METAFILE).write_text(text)
    (cell,) = read_cells(tmp_path)
    assert (cell.method, cell.top1, cell.teacher, cell.epoch) == ("kd", 71.0, None, "last")
    assert cell.config == tmp_path / "kd" / "cifar100" / "x.py"


# Where they write ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("configs/digits/pair.py", "pair"),
        ("configs/mine.py", "mine"),
        ("mine.py", "mine"),
        ("configs/benchmarks/dkd/cifar100/vgg13_vgg8.py", "benchmarks/dkd/cifar100/vgg13_vgg8"),
        ("configs/baselines/imagenet/resnet18.py", "baselines/imagenet/resnet18"),
    ],
)
def test_configs_of_one_name_do_not_share_a_folder(
    path: str, expected: str, tmp_path: Path
) -> None:
    place = Path("work_dirs", expected)
    assert default_work_dir(tmp_path / path, None, Config({})) == place
    assert default_work_dir(tmp_path / path, "kd", Config({})) == Path(f"{place}_kd")
    assert default_work_dir(tmp_path / path, "kd", Config({"runs": []})) == place


@pytest.mark.parametrize(
    "name",
    [
        "baselines/cifar100/vgg8",
        "pairs/cifar100/resnet34_resnet18",
        "cifar100/papers/generations",
        "cifar100/papers/online",
        "cinic10/papers/online",
    ],
)
def test_cifar_knows_the_batch_that_its_learning_rate_is_for(name: str) -> None:
    cfg = config(name)
    batch = cfg.train_dataloader.batch_size
    assert cfg.auto_scale_lr == dict(enable=False, base_batch_size=batch)
