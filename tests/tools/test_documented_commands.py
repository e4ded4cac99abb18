"""Every command on README and the pages of docs is run, in a folder as a reader has it.

What trains for long is run up to the training: the command line, the config and its runs.
"""

from __future__ import annotations

import inspect
import json
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cls_kd.analyses.finished_runs import ANALYSES
from cls_kd.distillers.networks import build_network
from cls_kd.engine import load_config
from cls_kd.engine.export import export as write_export
from cls_kd.engine.smoke import Outcome as SmokeOutcome
from tests.distillers import published
from tests.tools.conftest import Trained
from tests.tools.driver import ROOT, Outcome, call, command

GENERATED = {"_build", "api", "methods", "project"}
"""Folders of docs that ``make docs`` writes."""
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(
        page
        for page in sorted((ROOT / "docs").rglob("*.md"))
        if page.relative_to(ROOT / "docs").parts[0] not in GENERATED
    ),
]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_INLINE = re.compile(r"`([^`\n]+)`")
_LOOP = re.compile(r"^for (\w+) in (.*?); do\n(.*?)^done$", re.M | re.S)
_OURS = re.compile(
    r"(?:\w+=\S+ )*(?:(?:python|bash) (?:CLS_KD/)?(?:tools|benchmarks)/|tools/|cls-kd )"
)
_PLACEHOLDER = re.compile(r"\b[A-Z]{3,}\b(?!=)|[<>\[]|\.\.\.")

NOT_RUN = {
    r"benchmarks/\w+\.py": "measures for minutes; tests/benchmarks runs its parts",
    r"(?:cls-kd export|tools/export_student\.py) student\.py": (
        "needs images of the reader; tests/examples/test_own_data.py trains such a student"
    ),
    r"cls-kd launch": "starts processes that train; tests/tools/test_launchers.py does so",
    r"tools/check_data\.py teacher\.py": "needs images of the reader; see test_check_data.py",
}
"""Regular expression of a command to the reason why it is not run here."""

SHORTENED = {
    r"tools/make_synthetic\.py cifar": "--train 100 --test 100",
    r"tools/make_synthetic\.py folders": "--classes 2 --train 4 --test 4 --size 16",
}
"""Options added to a command, which win over those before them."""


def lines(page: Path) -> Iterator[str]:
    """Lines of shell on a page; of a loop, the lines for each of its values."""
    text = page.read_text()
    for language, code in _BLOCK.findall(text):
        if language in ("bash", "console"):
            yield from _LOOP.sub(_unrolled, code.replace("\\\n", " ")).splitlines()
    for code in _INLINE.findall(_BLOCK.sub("", text)):
        if len(code.split()) > 2 and not code.startswith("python -"):
            yield code


def _unrolled(loop: re.Match[str]) -> str:
    name, values, body = loop.groups()
    return "".join(re.sub(rf"\$\{{?{name}\b\}}?", value, body) for value in values.split())


def documented_commands() -> dict[str, str]:
    """Every command of ours, without what only a shell reads, to the page that it is on."""
    found: dict[str, str] = {}
    for page in PAGES:
        for line in lines(page):
            line = re.sub(r"\s(?:#.*|> \S+)$", "", line.strip())
            if _OURS.match(line) and not _PLACEHOLDER.search(line.replace("CLS_KD/", "")):
                words = [word for word in line.split() if not re.match(r"[A-Z_]+=\S*$", word)]
                words = words[words[0] in ("python", "bash") :]
                found.setdefault(" ".join(words).replace("CLS_KD/", ""), page.name)
    return found


COMMANDS = documented_commands()


def test_there_are_commands_on_the_pages() -> None:
    assert EXPORT in COMMANDS
    assert len(COMMANDS) > 80
    programs = {text.split()[0] for text in COMMANDS}
    assert programs >= {"cls-kd", "tools/train.py", "tools/dist_train.sh", "tools/report.py"}


def configs_on_pages() -> dict[str, str]:
    """Configs that the pages tell readers to write: first line ``# PATH.py``."""
    return {
        match[1]: code
        for page in PAGES
        for language, code in _BLOCK.findall(page.read_text())
        if language == "python" and (match := re.match(r"# ([\w/]+\.py)\n", code))
    }


@pytest.fixture(scope="module")
def folder(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Configs, finished runs, checkpoints and images under the names that the pages use."""
    root = tmp_path_factory.mktemp("reader")
    shutil.copytree(ROOT / "configs", root / "configs", ignore=shutil.ignore_patterns("__pyc*"))
    (root / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "method_table.md", root / "docs")
    for name, code in configs_on_pages().items():
        (root / name).write_text(code)
    _write_runs(root / "work_dirs", trained)
    shutil.copy(trained.student, root / "student.pth")
    _write_published(root)
    pixels = np.random.default_rng(0).integers(0, 255, (8, 8), np.uint8)
    for name in ("images/a.png", "images/b.png", "photo.jpg", "other.png"):
        (root / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(root / name)
    return root


def _write_runs(work_dirs: Path, trained: Trained) -> None:
    run, pair = trained.student.parent, work_dirs / "pair"
    shutil.copytree(trained.work_dir, pair)
    for copy in (pair / "kd", pair / "student", work_dirs / "demo" / "kd" / "seed_0"):
        shutil.copytree(run, copy, dirs_exist_ok=True)
        shutil.copy(trained.student, copy / "epoch_20.pth")
    names = {
        "demo": ("student", "kd", "nkd"),
        "digits/papers/nkd": ("student", "kd", "dkd", "nkd"),
        "digits/papers/ipwd": ("student", "kd", "ipwd"),
        "pair_nkd": ("student", "nkd"),
        "sweep/pair": ("student", "kd"),
    }
    for experiment, runs in names.items():
        _write_result(work_dirs / experiment / "teacher", trained.teacher.parent, "teacher", 0)
        for name in runs:
            for seed in range(3):
                _write_result(work_dirs / experiment / name / f"seed_{seed}", run, name, seed)
    search = work_dirs / "tune_pair_at" / "search" / "default" / "seed_0"
    _write_result(search, run, "default", 0)
    (search / "events.jsonl").write_text(json.dumps({"event": "RunStarted", "time": 0.0}) + "\n")
    entry = dict(folder="pair/kd/seed_0", title="pair/kd (seed 0)", digest="", length=20)
    (work_dirs / "sweep" / "sweep.json").write_text(json.dumps({"runs": [entry]}))
    student = load_config(ROOT / "configs/digits/branches.py", method="okdmde").model.student
    state = build_network(student.to_dict()).state_dict()
    (work_dirs / "branches" / "okdmde").mkdir(parents=True)
    torch.save(
        {"state_dict": {f"student.{key}": value for key, value in state.items()}},
        work_dirs / "branches" / "okdmde" / "epoch_20.pth",
    )


def _write_result(target: Path, source: Path, name: str, seed: int) -> None:
    facts = json.loads((source / "result.json").read_text())
    facts.update(run=name, seed=seed)
    facts["test"]["accuracy/top1"] += seed
    target.mkdir(parents=True, exist_ok=True)
    (target / "result.json").write_text(json.dumps(facts))
    shutil.copy(source / "config.py", target)


def _write_published(root: Path) -> None:
    """Published checkpoints by the rule of tests/distillers/published.py."""
    torch.save({"model": published.state("vgg13")}, root / "ckpt_epoch_240.pth")
    (root / "resnet56_vanilla").mkdir()
    torch.save({"model": published.state("resnet56")}, root / "resnet56_vanilla/ckpt_epoch_240.pth")
    student = {f"module.student.{key}": value for key, value in published.state("vgg8").items()}
    torch.save({"model": student}, root / "latest")


class Reached(SystemExit):
    """The command got as far as the training, or what else takes long."""

    def __init__(self) -> None:
        super().__init__(0)


@pytest.fixture(autouse=True)
def no_training(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Stop where training begins; what an analysis is told is compared with its signature."""

    def reach(*arguments: Any, **options: Any) -> None:
        raise Reached

    def analyze(config: Mapping[str, Any], runs: Any, checkpoint: str | None) -> None:
        options = {key: value for key, value in config.items() if key not in ("type", "runs")}
        inspect.signature(ANALYSES.get(config["type"])).bind(runs, **options)
        assert {*config.get("runs", ())} <= {run.name for run in runs}
        raise Reached

    def export(student: Any, out_dir: Path, formats: Any, images: Any) -> dict[str, Any]:
        # ONNX takes seconds: tests/tools/test_export_formats.py writes each format.
        kept = [name for name in formats if not name.startswith(("onnx", "torch-"))]
        return write_export(student, out_dir, kept, images) if kept else reach()

    def draw(figure: Any, file: Path, **options: Any) -> None:
        Path(file).touch()

    monkeypatch.setattr("cls_kd.cli.train.train_runs", reach)
    monkeypatch.setattr("cls_kd.cli.train.check_unchanged", lambda run: True)
    monkeypatch.setattr("cls_kd.cli.analyze.analyze", analyze)
    monkeypatch.setattr("cls_kd.cli.diagnose.diagnose", reach)
    monkeypatch.setattr("cls_kd.cli.export.export", export)
    # The data that it would look at are not here.
    monkeypatch.setattr("cls_kd.cli.reproduce._check_data", reach)
    monkeypatch.setattr("cls_kd.cli.sweep.forecasts", reach)
    monkeypatch.setattr("cls_kd.engine.tuning.tune.open_study", reach)
    monkeypatch.setattr("cls_kd.engine.choosing.choose.estimate", reach)
    trained = SmokeOutcome("name", "trained", 0.0, failed=False)
    monkeypatch.setattr("cls_kd.engine.smoke._outcome", lambda *_: trained)
    monkeypatch.setattr("cls_kd.engine.smoke.write_data", lambda target: target)
    # Figures take a second each; tests/reporting draws them.
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", draw)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.chdir(folder)
    # Commands read what others on the page write, which may be run by another process.
    if not Path("work_dirs/exported").is_dir():
        run(EXPORT).succeeded()


def run(text: str) -> Outcome:
    """Run one command in this process; a launcher's as the training that it starts."""
    added = [options for pattern, options in SHORTENED.items() if re.match(pattern, text)]
    program, *arguments = shlex.split(" ".join([text, *added]))
    if program == "cls-kd":
        return command(*arguments)
    tool = program.removeprefix("tools/")
    if tool == "dist_train.sh":
        config, _, *options = arguments
        return call("train.py", config, *options)
    if tool == "slurm_train.sh":
        _, _, config, work_dir, *options = arguments
        return call("train.py", config, "--work-dir", work_dir, *options)
    if tool == "smoke_configs.py":
        # Its configs are those of the repository.
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(ROOT)
            return call(tool, *arguments)
    return call(tool, *arguments)


EXPORT = "cls-kd export digits/pair work_dirs/pair/kd/epoch_20.pth work_dirs/exported --run kd"


@pytest.mark.parametrize("text", COMMANDS, ids=lambda text: f"{COMMANDS[text]}: {text[:60]}")
def test_the_command_runs(text: str) -> None:
    reasons = [reason for pattern, reason in NOT_RUN.items() if re.match(pattern, text)]
    if reasons:
        return
    run(text).succeeded()


@pytest.mark.parametrize("pattern", NOT_RUN)
def test_what_is_not_run_is_still_on_a_page(pattern: str) -> None:
    assert any(re.match(pattern, text) for text in COMMANDS)
