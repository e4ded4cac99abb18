"""Protocols against the numbers of their sources; docs/protocols.md says where these are from."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope
from PIL import Image
from torch import Tensor, nn
from torchvision import transforms

from cls_kd.losses import ViTKDLoss
from cls_kd.modules import as_schedule
from cls_kd.registry import MODELS
from cls_kd.runs.compose import read_config
from cls_kd.signals import TrainingTime
from tests.engine.tiny_runs import ROOT
from tests.losses.fabricate import Sizes

CONFIGS = ROOT / "configs"
EPOCH = 4  # steps


@cache
def config(name: str) -> dict[str, Any]:
    return read_config(CONFIGS / f"{name}.py").to_dict()


def benchmark(method: str, pair: str) -> dict[str, Any]:
    return config(f"benchmarks/{method}/imagenet/{pair}")


# Learning rates -----------------------------------------------------------------------------------


def learning_rates(name: str, steps: int, epochs: int | None = None) -> list[float]:
    """Of each step, under the schedule of a config."""
    cfg = config(f"_base_/schedules/{name}")
    init_default_scope("cls_kd")
    lr = cfg["optim_wrapper"]["optimizer"]["lr"]
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
    ends = {True: epochs or cfg["train_cfg"]["max_epochs"], False: steps}
    schedulers = [
        PARAM_SCHEDULERS.build(
            {"end": ends[one.get("by_epoch", True)], **one},
            default_args=dict(optimizer=optimizer, epoch_length=EPOCH),
        )
        for one in cfg["param_scheduler"]
    ]
    rates = []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for scheduler in schedulers:
            if not scheduler.by_epoch or (step + 1) % EPOCH == 0:
                scheduler.step()
    return rates


def warmed(rate: float, step: int, warmup: int, ratio: float) -> float:
    """MMCV 1.x: ``regular * (1 - (1 - step / warmup) * (1 - ratio))`` before the warm-up's end."""
    return rate * (1 - max(0.0, 1 - step / warmup) * (1 - ratio))


@pytest.mark.parametrize("name", ["imagenet_swin", "imagenet_deit"])
def test_transformers_learn_at_the_rates_of_cls_kd_s_master(name: str) -> None:
    """``CosineAnnealing, by_epoch=False, min_lr_ratio=1e-2``, 20 epochs of warm-up at 1e-3."""
    total = 300 * EPOCH
    for step, rate in enumerate(learning_rates(name, total)):
        regular = 1e-5 + (1e-3 - 1e-5) * (1 + math.cos(math.pi * step / total)) / 2
        assert rate == pytest.approx(warmed(regular, step, 20 * EPOCH, 1e-3), rel=1e-12), step


def test_regnet_learns_at_the_rates_of_cls_kd_s_master() -> None:
    """``CosineAnnealing, min_lr=0`` by epochs, 5 epochs of linear warm-up at 0.1, by steps."""
    for step, rate in enumerate(learning_rates("imagenet_regnet", 100 * EPOCH)):
        regular = 0.8 * (1 + math.cos(math.pi * (step // EPOCH) / 100)) / 2
        assert rate == pytest.approx(warmed(regular, step, 5 * EPOCH, 0.1), rel=1e-12), step


def test_shufflenet_learns_at_the_rates_of_cls_kd_s_master() -> None:
    """``poly, by_epoch=False`` over all steps, a tenth of it in the first 5,000; to one step."""
    steps = 6000
    for step, rate in enumerate(learning_rates("imagenet_shufflenet_v2", steps)):
        expected = 0.5 * (1 - step / steps) * (0.1 if step < 5000 else 1.0)
        assert rate == pytest.approx(expected, abs=0.5 / steps), step


def test_branch_1_0_is_there_as_an_option_and_is_another_schedule() -> None:
    """It is higher by 7 % on average, as its cosine starts after the warm-up."""
    master, branch = (
        learning_rates(name, 300 * EPOCH) for name in ("imagenet_swin", "imagenet_swin_1_0")
    )
    assert sum(branch) / sum(master) == pytest.approx(1.07, abs=0.01)
    for name in ("deit", "regnet", "shufflenet_v2"):
        option = config(f"_base_/schedules/imagenet_{name}_1_0")
        now = config(f"_base_/schedules/imagenet_{name}")
        assert option["param_scheduler"] != now["param_scheduler"]
        assert option["optim_wrapper"] == now["optim_wrapper"]


@pytest.mark.parametrize(("method", "final"), [("dkd", 1.0), ("dkd_standardized", 9.0)])
def test_dkd_warms_up_by_whole_epochs_as_in_mdistiller(method: str, final: float) -> None:
    """``min(kwargs["epoch"] / 20, 1.0)`` of 240 epochs, counted from 1."""
    schedule = as_schedule(config(f"methods/{method}")["losses"]["dkd"]["weight"])
    for epoch in (1, 2, 19, 20, 21, 240):
        for step in (0, 50, 99):
            time = TrainingTime(epoch - 1, 240, (epoch - 1) * 100 + step, 24000)
            assert schedule(time) == pytest.approx(final * min(epoch / 20, 1.0), abs=1e-12)


# Transforms ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A JPEG with fine structure that says it should be turned, which torchvision ignores."""
    rows, columns = np.mgrid[:300, :421]
    image = np.stack([rows * columns % 256, rows % 2 * 255, columns * 3 % 256], -1)
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path_factory.mktemp("photo") / "photo.jpg"
    Image.fromarray(image.astype(np.uint8)).save(path, quality=95, exif=exif)
    return path


def packed(name: str, part: str, photo: Path, seed: int = 0) -> Tensor:
    """What a data set's pipeline gives, (3, H, W) uint8 in BGR."""
    init_default_scope("cls_kd")
    pipeline = Compose(config(name)[f"{part}_dataloader"]["dataset"]["pipeline"])
    torch.manual_seed(seed)
    return pipeline(dict(img_path=str(photo), gt_label=0))["inputs"]


@pytest.mark.parametrize("seed", range(3))
def test_mdistiller_s_images_are_torchvision_s_to_the_bit(photo: Path, seed: int) -> None:
    for part, steps in (
        ("train", [transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip()]),
        ("val", [transforms.Resize(256), transforms.CenterCrop(224)]),
    ):
        ours = packed("_base_/datasets/imagenet_torchvision", part, photo, seed)
        torch.manual_seed(seed)
        theirs = transforms.Compose(steps)(Image.open(photo).convert("RGB"))
        assert np.array_equal(ours.flip(0).permute(1, 2, 0).numpy(), np.asarray(theirs))
    opencv = packed("_base_/datasets/imagenet_cv2", "val", photo)
    pillow = packed("_base_/datasets/imagenet_torchvision", "val", photo)
    assert (opencv.float() - pillow.float()).abs().mean() > 1


def test_normalization_of_imagenet() -> None:
    cfg = config("_base_/datasets/imagenet_torchvision")["data_preprocessor"]
    assert cfg["mean"] == pytest.approx([255 * value for value in (0.485, 0.456, 0.406)])
    assert cfg["std"] == pytest.approx([255 * value for value in (0.229, 0.224, 0.225)])
    assert cfg["to_rgb"]


# Networks and optimizers of cells -----------------------------------------------------------------


def started(network: dict[str, Any]) -> Any:
    torch.manual_seed(0)
    init_default_scope("cls_kd")
    built = MODELS.build(network)
    built.init_weights()
    return built


def last_norms(network: Any) -> list[float]:
    return [
        block.get_submodule(f"bn{2 if network.backbone.depth == 18 else 3}").weight.mean().item()
        for place in range(1, 5)
        for block in network.backbone.get_submodule(f"layer{place}")
    ]


def test_resnet18_starts_as_the_source_of_a_cell() -> None:
    for method, norm, deviation in (("dkd", 1.0, 512**-0.5 / 3**0.5), ("nkd", 0.0, 0.01)):
        network = started(benchmark(method, "resnet34_resnet18")["model"]["student"])
        assert set(last_norms(network)) == {norm}
        assert network.head.fc.weight.std().item() == pytest.approx(deviation, rel=0.01)
        weight = network.backbone.layer4[1].conv2.weight
        assert weight.std().item() == pytest.approx((2 / (9 * 512)) ** 0.5, rel=0.01)


@pytest.mark.parametrize(
    ("method", "pointwise", "linear"),
    [
        # torch: uniform up to 1 / sqrt(in), for convolutions and linear layers.
        ("dkd", (3 * 512) ** -0.5, (3 * 1024) ** -0.5),
        ("nkd", (2 / 1024) ** 0.5, 0.01),
        ("mgd", (2 / 1024) ** 0.5, 0.01),
        ("dist", (2 / 1024) ** 0.5, (3 * 1000) ** -0.5),
    ],
)
def test_mobilenet_v1_starts_as_the_source_of_a_cell(
    method: str, pointwise: float, linear: float
) -> None:
    network = started(benchmark(method, "resnet50_mobilenet_v1")["model"]["student"])
    weight = network.backbone.model[12][3].weight  # 512 to 1024 channels
    assert weight.std().item() == pytest.approx(pointwise, rel=0.01)
    assert network.head.fc.weight.std().item() == pytest.approx(linear, rel=0.01)


@pytest.mark.parametrize("method", ["tf_nkd", "uskd"])
def test_mobilenet_v1_alone_starts_as_in_cls_kd(method: str) -> None:
    network = started(benchmark(method, "mobilenet_v1")["model"]["student"])
    assert network.head.fc.weight.std().item() == pytest.approx(0.01, rel=0.01)


def test_cifar_networks_start_as_their_sources() -> None:
    heads = {}
    for name in ("resnet18", "resnet34", "resnet50", "wrn16_2"):
        heads[name] = started(config(f"networks/cifar_{name}")[f"cifar_{name}"])
    for name in ("resnet18", "resnet34"):  # yzd-v/cls_KD: mmpretrain's head
        assert heads[name].head.fc.weight.std().item() == pytest.approx(0.01, rel=0.02)
        assert (heads[name].head.fc.bias == 0).all()
    assert set(last_norms(heads["resnet50"])) == {1.0}  # HobbitLong/RepDistiller
    linear = heads["wrn16_2"].head.fc
    assert (linear.bias == 0).all()
    assert linear.weight.abs().max().item() == pytest.approx(128**-0.5, rel=0.01)


def test_dist_on_imagenet_has_nesterov_and_decays_only_weights() -> None:
    """hunto/image_classification_sota: lib/utils/optim.py spares one axis and biases."""
    cfg = benchmark("dist", "resnet34_resnet18")
    network = started(cfg["model"]["student"])
    optimizer = build_optim_wrapper(network, cfg["optim_wrapper"]).optimizer
    decays = {id(one): group["weight_decay"] for group in optimizer.param_groups
              for one in group["params"]}  # fmt: skip
    assert all(group["nesterov"] and group["lr"] == 0.1 for group in optimizer.param_groups)
    for name, one in network.named_parameters():
        expected = 0.0 if one.ndim == 1 or name.endswith(".bias") else 1e-4
        assert decays[id(one)] == expected, name
    assert cfg["train_dataloader"]["batch_size"] * 8 == 256


def test_cells_of_mdistiller_s_line_build_with_torchvision_s_teacher() -> None:
    """The losses of several cells in one distiller, which have the pair in common."""
    cells = {
        method: benchmark(method, "resnet50_mobilenet_v1")
        for method in ("at", "kd", "dkd", "crd", "dist", "srrl", "wsld")
    }
    pipelines = [cfg["train_dataloader"]["dataset"]["pipeline"] for cfg in cells.values()]
    assert pipelines == [
        config("_base_/datasets/imagenet_torchvision")["train_dataloader"]["dataset"]["pipeline"]
    ] * len(cells)
    for cfg in cells.values():
        assert cfg["model"]["teacher"] == dict(
            network="timm:resnet50.tv_in1k", weights="pretrained"
        )
    assert cells["at"]["model"]["losses"]["at"]["stages"] == [[1, 0], [2, 1], [3, 2]]
    losses = {name: cells[name]["model"]["losses"][name] for name in ("at", "crd", "srrl")}
    teacher = dict(cells["at"]["model"]["teacher"], weights="random")
    model = dict(cells["at"]["model"], losses=losses, teacher=teacher, num_samples=50)
    init_default_scope("cls_kd")
    built = MODELS.build(dict(model, input_shape=(3, 64, 64)))
    assert set(built.losses) == set(losses)
    stages = built.teachers[0].source.measure(torch.zeros(1, 3, 64, 64))["teacher_stages"]
    assert [stage[0] for stage in stages] == [256, 512, 1024, 2048]


def test_the_mask_token_of_vitkd_is_decayed_as_in_cls_kd() -> None:
    """0.05 on weights and on the token of shape (1, 1, D); none on biases."""
    loss = ViTKDLoss()
    loss.build(Sizes(tokens={"student": (3, 17, 6), "teacher": (4, 18, 8)}).facts())
    init_default_scope("cls_kd")
    wrapper = build_optim_wrapper(loss, config("_base_/schedules/imagenet_deit")["optim_wrapper"])
    decays = {
        id(parameter): group["weight_decay"]
        for group in wrapper.optimizer.param_groups
        for parameter in group["params"]
    }
    for name, parameter in loss.named_parameters():
        assert decays[id(parameter)] == (0.0 if name.endswith("bias") else 0.05), name
    assert decays[id(loss.generator.mask_token)] == 0.05


def test_other_recipes_of_imagenet_train_at_the_rates_of_their_sources() -> None:
    """Warm-ups, decays and ends, as docs/protocols.md lists them."""
    ofa = learning_rates("imagenet_ofa_100", 100 * EPOCH)
    assert ofa[0] == pytest.approx(1e-4)
    assert [ofa[epoch * EPOCH] for epoch in (3, 29, 30, 60, 90)] == pytest.approx(
        [0.1, 0.1, 0.01, 1e-3, 1e-4]
    )
    mobile = learning_rates("imagenet_mobilenet_v2", 20 * EPOCH)
    assert mobile[::EPOCH] == pytest.approx([0.045 * 0.98**epoch for epoch in range(20)])
    online = learning_rates("cifar_online_300", 300 * EPOCH)
    assert [online[epoch * EPOCH] for epoch in (149, 150, 225)] == pytest.approx([0.1, 0.01, 1e-3])
    assert learning_rates("cifar_densenet_300", 300 * EPOCH) == online
