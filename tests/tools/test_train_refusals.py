"""What cannot work is refused: one message, exit code 1 or 2, and nothing written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from cls_kd.engine import load_config, plan
from cls_kd.engine.run_lock import RunLock
from tests.tools.conftest import ONE_EPOCH, Spoil, Trained
from tests.tools.driver import PAIR, call, contents, spawn

REFUSALS = {
    "unknown loss": (
        "model['losses']['nkd']['type'] = 'NKDLos'",
        ("'nkd'", "'NKDLos'", "Did you mean 'NKDLoss'"),
    ),
    "unknown loss by its path": (
        "model['losses']['nkd']['type'] = 'cls_kd.losses.NKDLos'",
        ("'nkd'", "Did you mean 'NKDLoss'"),
    ),
    "unknown option of a loss": (
        "model['losses']['nkd']['temprature'] = 2",
        ("model.losses.nkd", "no 'temprature'", "Did you mean 'temperature'"),
    ),
    "value of an option": (
        "model['losses']['nkd']['temperature'] = -1",
        ("temperature must be above 0",),
    ),
    "no loss": ("model['losses'] = {}", ("no loss",)),
    "tap of a module that is not there": (
        "model['student_taps'] = dict(stages=('backbone.stage9',))",
        ("no module 'backbone.stage9'", "Did you mean", "backbone.stage3"),
    ),
    "stage out of range": (
        "model['losses']['fitnet'] = dict(type='FitNetLoss', stage=7)",
        ("stage 7", "3 stages"),
    ),
    "teacher without weights": (
        "model['teacher'].pop('weights')",
        ("The teacher has no weights",),
    ),
    "teacher whose file is not there": (
        "model['teacher']['weights'] = '/nowhere/teacher.pth'",
        ("/nowhere/teacher.pth does not exist",),
    ),
    "no teacher for a loss that asks one": ("model['teacher'] = None", ("there is no teacher",)),
    "teacher of other classes": (
        "model['teacher']['weights'] = 'random'\n"
        "model['teacher']['network']['head']['num_classes'] = 7",
        ("7 classes", "the student has 10"),
    ),
    "labels out of range": (
        "model['teacher']['weights'] = 'random'\n"
        "for one in (model['teacher']['network'], model['student']):\n"
        "    one['head']['num_classes'] = 5",
        ("Labels out of range", "from 0 to 9", "5 classes"),
    ),
    "labels out of range in a repeated data set": (
        "train_dataloader['dataset'] = dict("
        "type='RepeatDataset', times=2, dataset=train_dataloader['dataset'])\n"
        "model['teacher']['weights'] = 'random'\n"
        "for one in (model['teacher']['network'], model['student']):\n"
        "    one['head']['num_classes'] = 5",
        ("Labels out of range", "the train data set", "5 classes"),
    ),
    "unknown backbone": (
        "model['student']['backbone']['type'] = 'DigitsCNM'",
        ("model.student.backbone", "'DigitsCNM'", "Did you mean 'DigitsCNN'"),
    ),
    "unknown option of a backbone": (
        "model['student']['backbone']['width'] = 3",
        ("DigitsCNN has no 'width'", "Did you mean 'widths'"),
    ),
    "unknown optimizer": (
        "optim_wrapper['optimizer']['type'] = 'SGDD'",
        ("no optimizer 'SGDD'", "Did you mean 'SGD'"),
    ),
    "unknown option of an optimizer": (
        "optim_wrapper['optimizer']['rate'] = 0.1",
        ("optim_wrapper.optimizer: SGD has no 'rate'",),
    ),
    "a batch larger than the data": (
        "train_dataloader.update(batch_size=5000, drop_last=True)",
        ("train_dataloader gives no batch", "do not fill one batch of 5000"),
    ),
    "a name that timm does not have": (
        "model['student'] = 'timm:resnet19'",
        ("no model 'resnet19'", "Did you mean", "'resnet18'"),
    ),
    "a network of timm with a name that timm does not have": (
        "model['student'] = dict(type='TimmClassifier', model_name='resnet19')",
        ("no model 'resnet19'", "'resnet18'"),
    ),
    "an option that a network of timm does not have": (
        "model['student'] = dict(type='TimmClassifier', model_name='resnet18', num_clases=10)",
        ("The network TimmClassifier cannot be built", "num_clases"),
    ),
    "mixup without the number of classes": (
        "data_preprocessor['batch_augments'] = dict(augments=dict(type='Mixup', alpha=0.2))\n"
        "data_preprocessor.pop('num_classes', None)",
        ("need num_classes",),
    ),
    "more outputs than classes": (
        "model['teacher']['weights'] = 'random'\n"
        "for one in (model['teacher']['network'], model['student']):\n"
        "    one['head']['num_classes'] = 12\n"
        "del one",
        ("outputs for 12 classes", "the train data have 10", "Set num_classes=10"),
    ),
    "a misspelt section": (
        "traindataloader = dict(batch_size=3)",
        ("no section 'traindataloader'", "Did you mean 'train_dataloader'"),
    ),
    "a visualizer that is not there": (
        "visualizer = dict(type='UniversalVisualiser')",
        ("no visualizer 'UniversalVisualiser'", "Did you mean 'UniversalVisualizer'"),
    ),
    "no data": ("train_dataloader = None", ("no train_dataloader",)),
    "syntax error": ("model = = 3", ("cannot be read", "SyntaxError")),
    "module that cannot be imported": (
        "custom_imports = dict(imports=['no_such_module_of_mine'])",
        ("cannot be read", "no_such_module_of_mine"),
    ),
    "folder of images that is not there": (
        "for loader in (train_dataloader, val_dataloader, test_dataloader):\n"
        "    loader['dataset'] = dict(type='CustomDataset', data_root='/nowhere/images',\n"
        "                             pipeline=[dict(type='LoadImageFromFile')])",
        ("missing", "/nowhere/images"),
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_config_that_cannot_work_is_refused(name: str, config: Spoil, tmp_path: Path) -> None:
    lines, words = REFUSALS[name]
    work_dir = tmp_path / "work"
    call("train.py", config(lines), "--work-dir", work_dir).refused(*words)
    assert not work_dir.exists()


OPTIONS = {
    "text for a number": ("train_cfg.max_epochs=many", "whole number"),
    "nothing for a number": ("train_cfg.max_epochs=0", "whole number"),
    "a number for a section": ("model=3", "section"),
    "a key below a number": ("train_cfg.max_epochs.more=3", "max_epochs"),
    "a place beyond the list": ("param_scheduler.5.T_max=3", "5"),
    "a name where a list has numbers": ("param_scheduler.first.T_max=3", "param_scheduler"),
    "no value": ("train_cfg.max_epochs", "KEY=VALUE"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_that_does_not_fit_is_refused(name: str, config: Spoil, tmp_path: Path) -> None:
    option, word = OPTIONS[name]
    work_dir = tmp_path / "work"
    outcome = call("train.py", config(), "--work-dir", work_dir, "--cfg-options", option)
    outcome.refused(word)
    assert not work_dir.exists()


USER_MODULE = """
from torch import Tensor

from cls_kd.losses import DistillLoss
from cls_kd.registry import MODELS


@MODELS.register_module(force=True)
class MisspeltLoss(DistillLoss):
    def forward(self, student_logits: Tensor, teacher_logit: Tensor) -> Tensor:
        return student_logits.sum()


@MODELS.register_module(force=True)
class FloatLoss(DistillLoss):
    def forward(self, student_logits: Tensor) -> float:
        return student_logits.sum().item()


@MODELS.register_module(force=True)
class WholeLoss(DistillLoss):
    def forward(self, student_logits: Tensor) -> Tensor:
        return student_logits.square()


@MODELS.register_module(force=True)
class TokensLoss(DistillLoss):
    def forward(self, student_tokens: Tensor) -> Tensor:
        return student_tokens.sum()
"""


@pytest.fixture
def config_with_loss(
    config: Spoil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Path]:
    """A config with a loss of a user's own module, by the name of the loss."""
    (tmp_path / "user_losses_of_refusals.py").write_text(USER_MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    return lambda kind: config(
        "custom_imports = dict(imports=['user_losses_of_refusals'])",
        f"model['losses']['mine'] = dict(type='{kind}')",
    )


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("MisspeltLoss", ("'mine' (MisspeltLoss)", "'teacher_logit'", "Did you mean 'teacher_log")),
        ("TokensLoss", ("'student_tokens'", "student_stages", "student_taps=dict(tokens=...)")),
    ],
)
def test_a_signal_that_is_not_there_is_refused(
    kind: str, words: tuple[str, ...], config_with_loss: Callable[[str], Path], tmp_path: Path
) -> None:
    path = config_with_loss(kind)
    call("train.py", path, "--work-dir", tmp_path / "work").refused(*words)
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("FloatLoss", ("'mine' returned", "type float", "scalar")),
        ("WholeLoss", ("'mine' returned a tensor of shape (", ", 10)", "scalar")),
    ],
)
def test_a_loss_that_returns_no_scalar_is_refused(
    kind: str, words: tuple[str, ...], config_with_loss: Callable[[str], Path], tmp_path: Path
) -> None:
    path = config_with_loss(kind)
    call("train.py", path, "--work-dir", tmp_path / "work").refused(*words)
    assert not list((tmp_path / "work").glob("*.pth"))


def test_a_checkpoint_of_another_network_is_refused_with_its_keys(
    config: Spoil, trained: Trained, tmp_path: Path
) -> None:
    path = config(f"model['teacher']['weights'] = {str(trained.student)!r}")
    outcome = call("train.py", path, "--work-dir", tmp_path / "work")
    outcome.refused("does not fit", "backbone.stage1.conv.weight", "instead of (32, 1, 3, 3)")
    assert not (tmp_path / "work").exists()


def test_a_later_run_that_cannot_work_is_refused_before_the_first_trains(tmp_path: Path) -> None:
    options = ("--method", "kd", "--cfg-options", "runs.{method}.model.losses.kd.type=KDLos")
    outcome = call("train.py", PAIR, "--work-dir", tmp_path / "work", *options)
    outcome.refused("The run kd (seed 0) cannot be built", "'KDLos'", "Did you mean 'KDLoss'")
    assert not (tmp_path / "work").exists()


def test_an_unknown_method_is_refused(tmp_path: Path) -> None:
    outcome = call("train.py", PAIR, "--method", "nkdd", "--work-dir", tmp_path / "work")
    outcome.refused("no method 'nkdd'", "Did you mean 'nkd'")
    assert not (tmp_path / "work").exists()


def test_a_config_that_is_not_there_is_refused_with_its_neighbours(tmp_path: Path) -> None:
    missing = PAIR.with_name("pairs.py")
    call("train.py", missing, "--work-dir", tmp_path / "work").refused("does not exist", "pair.py")
    assert not (tmp_path / "work").exists()


def test_an_unknown_option_of_the_command_line_is_exit_code_2(tmp_path: Path) -> None:
    outcome = call("train.py", PAIR, "--work-dirs", tmp_path / "work", "--method")
    assert outcome.refused("usage", "--method").code == 2


def test_as_a_program_of_its_own(config: Spoil, tmp_path: Path) -> None:
    """What users see: the message alone on stderr, with nothing of the machinery below."""
    path = config(REFUSALS["unknown loss"][0])
    outcome = spawn("python", "tools/train.py", path, "--work-dir", tmp_path / "work")
    assert outcome.refused("Did you mean 'NKDLoss'").err.startswith("error: ")
    assert outcome.out == ""
    assert not (tmp_path / "work").exists()


IMAGES = """
_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=8),
    dict(type='PackInputs'),
]
for loader in (train_dataloader, val_dataloader, test_dataloader):
    loader['dataset'] = dict(type='CustomDataset', data_root={root!r}, pipeline=_pipeline)
del loader
data_preprocessor = dict(num_classes=2, mean=[0.0, 0.0, 0.0], std=[255.0, 255.0, 255.0])
model['teacher']['weights'] = 'random'
for one in (model['teacher']['network'], model['student']):
    one['backbone']['in_channels'] = 3
    one['head']['num_classes'] = 2
del one
"""


@pytest.fixture
def images(tmp_path: Path) -> Path:
    root = tmp_path / "images"
    for place, name in enumerate(("cat", "dog")):
        (root / name).mkdir(parents=True)
        for number in range(4):
            colour = (60 * number, 200 * place, 30)
            Image.new("RGB", (9, 9), colour).save(root / name / f"{number}.png")
    return root


def test_a_folder_of_images_trains(images: Path, config: Spoil, tmp_path: Path) -> None:
    path = config(IMAGES.format(root=str(images)))
    call("train.py", path, "--work-dir", tmp_path / "work").succeeded()
    assert (tmp_path / "work" / "result.json").is_file()


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "the file is empty (0 bytes)"), (b"\xff\xd8\xff\xe0 no JPEG", "it is damaged")],
)
@pytest.mark.parametrize("part", ["train", "val"])
def test_an_image_that_cannot_be_read_is_named(
    part: str, content: bytes, words: str, images: Path, config: Spoil, tmp_path: Path
) -> None:
    """In a loader's worker, where PyTorch wraps the error."""
    damaged = tmp_path / "images of another part" / "dog" / "2 b.jpg"
    shutil.copytree(images, damaged.parents[1])
    damaged.write_bytes(content)
    loader = f"{part}_dataloader"
    path = config(
        IMAGES.format(root=str(images)),
        f"{loader}['dataset'] = dict({loader}['dataset'], data_root={str(damaged.parents[1])!r})",
        f"{loader}['num_workers'] = 1",
    )
    outcome = call("train.py", path, "--work-dir", tmp_path / "work")
    outcome.refused(
        f"error: The image {damaged} cannot be read: {words}", "cls-kd check-data CONFIG"
    )
    assert "Caught" not in outcome.err
    assert not (tmp_path / "work" / "result.json").exists()
    assert not list((tmp_path / "work").glob("*.pth")) or part == "val"


def test_a_class_that_one_part_lacks_is_refused(
    images: Path, config: Spoil, tmp_path: Path
) -> None:
    val = tmp_path / "val"
    shutil.copytree(images, val)
    (val / "cat").rename(val / "cow")
    path = config(
        IMAGES.format(root=str(images)),
        f"val_dataloader['dataset'] = dict(val_dataloader['dataset'], data_root={str(val)!r})",
    )
    outcome = call("train.py", path, "--work-dir", tmp_path / "work")
    outcome.refused("train and the val data differ in their classes", "cat, cow")
    assert not (tmp_path / "work").exists()


def test_a_class_without_an_image_is_refused(images: Path, config: Spoil, tmp_path: Path) -> None:
    (images / "cow").mkdir()
    text = IMAGES.replace("num_classes=2", "num_classes=3").replace("'] = 2", "'] = 3")
    outcome = call(
        "train.py", config(text.format(root=str(images))), "--work-dir", tmp_path / "work"
    )
    outcome.refused("no image of cow", "1 of 3 folders", "ann_file")
    assert not (tmp_path / "work").exists()


def test_classes_that_are_no_folders_are_refused(
    images: Path, config: Spoil, tmp_path: Path
) -> None:
    named = "train_dataloader['dataset']['classes'] = ['ant', 'bee', 'cat', 'dog']"
    path = config(IMAGES.format(root=str(images)), named)
    outcome = call("train.py", path, "--work-dir", tmp_path / "work")
    outcome.refused("4 classes (ant, bee, cat, dog)", "2 folders (cat, dog)")
    assert not (tmp_path / "work").exists()


def test_another_config_in_the_same_place_changes_nothing(trained: Trained, tmp_path: Path) -> None:
    before = contents(trained.work_dir)
    options = (*ONE_EPOCH, "optim_wrapper.optimizer.lr=0.5")
    outcome = call("train.py", PAIR, "--method", "nkd", "--work-dir", trained.work_dir, *options)
    outcome.refused("was made with another config", "'lr': 0.5", "--restart")
    assert contents(trained.work_dir) == before


def test_a_run_that_another_process_trains_is_refused(tmp_path: Path) -> None:
    work_dir = tmp_path / "work_dir"
    held = RunLock(plan(load_config(PAIR, method="nkd"), work_dir)[1])
    held.acquire()
    before = contents(work_dir)
    outcome = call("train.py", PAIR, "--method", "nkd", "--work-dir", work_dir)
    outcome.refused("nkd (seed 0)", str(work_dir / "nkd"), f"process {os.getpid()}", "--work-dir")
    assert contents(work_dir) == before
