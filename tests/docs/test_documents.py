"""What the documentation names exists: files, links, commands and options; its code compiles."""

from __future__ import annotations

import itertools
import re
import runpy
import shlex
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from cls_kd.cli.command_line import COMMANDS
from cls_kd.engine import load_config, plan
from cls_kd.losses import DistillLoss
from cls_kd.runs.benchmarks import find_row
from cls_kd.runs.config_names import is_packaged
from cls_kd.signals import VOCABULARY, SignalShapes
from tests.tools.driver import command

ROOT = Path(__file__).parents[2]
# Written by `make docs`, from files that are checked here or from docstrings.
GENERATED = {"_build", "api", "methods", "project"}
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / ".github").glob("*.md"),
        *(
            page
            for page in (ROOT / "docs").rglob("*.md")
            if page.relative_to(ROOT / "docs").parts[0] not in GENERATED
        ),
        *(ROOT / name / "README.md" for name in ("work_dirs",)),
    ]
)
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_INLINE = re.compile(r"`([^`\n]+)`")
_OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")
_FILE = re.compile(r"^(?:\.github|cls_kd|configs|tests|tools|docs|benchmarks|\.ci)/[\w./]*$")
_CONFIG_TITLE = re.compile(r"# (configs/[\w/]+\.py)\n")
# What a reader puts in place of a word.
_PLACEHOLDER = re.compile(r"[A-Z]{3,}|[<>*]|\.\.\.")


TAKE_A_CONFIG = ("train", "test", "analyze", "export", "config", "check-data")


def blocks(page: Path, language: str) -> list[str]:
    return [code for kind, code in _BLOCK.findall(page.read_text()) if kind == language]


def prose(page: Path) -> str:
    return _BLOCK.sub("", page.read_text())


def commands(page: Path) -> Iterator[list[str]]:
    """Words of every command line: in blocks of shell, and in the prose's inline code."""
    lines = [
        line
        for code in blocks(page, "bash") + blocks(page, "console")
        for line in code.replace("\\\n", " ").splitlines()
    ]
    for line in [*lines, *_INLINE.findall(prose(page))]:
        line = re.sub(r"\s#.*", "", line).replace("python -m cls_kd", "cls-kd")
        if re.match(r"(python |bash )?tools/\S+\s|python |make |pytest |tools/\w|cls-kd ", line):
            yield shlex.split(line)


def calls_of_command(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Every call of ``cls-kd``: its command and what follows."""
    for words in commands(page):
        if words[0] == "cls-kd" and words[1:] and not _PLACEHOLDER.search(words[1]):
            yield words[1], words[2:]


def calls(page: Path) -> Iterator[tuple[Path, list[str]]]:
    """Every call of one of our tools: the tool and what follows."""
    for words in commands(page):
        start = 1 if words[0] in ("python", "bash") else 0
        if len(words) > start and words[start].startswith(("tools/", "benchmarks/")):
            yield ROOT / words[start], words[start + 1 :]


@cache
def options(tool: Path) -> frozenset[str]:
    """What ``--help`` lists; a shell script passes its options on to the tools it names."""
    if tool.suffix == ".sh":
        named = re.findall(r"(\w+\.py)\b", tool.read_text())
        return frozenset().union(*(options(tool.parent / name) for name in named))
    with pytest.MonkeyPatch.context() as patch:
        text: list[str] = []
        patch.setattr(sys, "argv", [str(tool), "--help"])
        patch.setenv("COLUMNS", "200")
        patch.setattr(sys.stdout, "write", text.append)
        with pytest.raises(SystemExit):
            runpy.run_path(str(tool), run_name="__main__")
    return frozenset(_OPTION.findall("".join(text)))


@cache
def command_options(name: str) -> frozenset[str]:
    """What ``cls-kd NAME --help`` lists."""
    return frozenset(_OPTION.findall(command(name, "--help").succeeded().out))


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


def slug(title: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")


def headings(page: Path) -> list[str]:
    return re.findall(r"^#+ (.+)$", _BLOCK.sub("", page.read_text()), re.M)


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(prose(page)):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in {slug(title) for title in headings(target)}, link


@every_page
def test_named_files_exist(page: Path) -> None:
    for code in _INLINE.findall(prose(page)):
        if _FILE.match(code) and not _PLACEHOLDER.search(code):
            made = code in written_by_readers() or "_build" in Path(code).parts
            assert (ROOT / code).exists() or made, code


@every_page
def test_tools_and_their_options_exist(page: Path) -> None:
    for tool, rest in calls(page):
        assert tool.is_file(), tool.name
        for word in rest:
            if word.startswith("--"):
                assert word.split("=")[0] in options(tool), f"{tool.name} {word}"


@every_page
def test_commands_and_their_options_exist(page: Path) -> None:
    for name, rest in calls_of_command(page):
        if name.startswith("-"):
            assert name in ("--help", "--version")
            continue
        assert name in COMMANDS
        for word in rest:
            if word.startswith("--"):
                assert word.split("=")[0] in command_options(name), f"{name} {word}"


@every_page
def test_configs_and_methods_in_commands_exist(page: Path) -> None:
    for tool, rest in [*calls(page), *calls_of_command(page)]:
        for word, following in itertools.pairwise([*rest, ""]):
            if word.startswith("configs/") and not _PLACEHOLDER.search(word):
                known = (ROOT / word).is_file() or find_row(ROOT / word) is not None
                # A loop of the shell stands for a part of the name.
                assert known or word in written_by_readers() or "$" in word, word
            if word == "--method" and not _PLACEHOLDER.search(following):
                assert (ROOT / "configs" / "methods" / f"{following}.py").is_file(), tool


@every_page
def test_configs_that_commands_name_exist(page: Path) -> None:
    """A config without a path is one of the package."""
    for name, rest in calls_of_command(page):
        place = 1 if name == "analyze" else 0
        if name not in TAKE_A_CONFIG or len(rest) <= place:
            continue
        config = rest[place]
        is_name = not config.startswith("-") and not config.endswith(".py")
        is_name = is_name and not _PLACEHOLDER.search(config)
        assert not is_name or is_packaged(config), f"{name} {config}"


@every_page
def test_targets_of_make_exist(page: Path) -> None:
    for words in commands(page):
        if words[0] == "make":
            named = {word for word in words[1:] if "=" not in word and word[0] != "-"}
            assert named <= targets(), words


@every_page
def test_python_compiles(page: Path) -> None:
    for code in blocks(page, "python"):
        compile(code, str(page), "exec")


def configs_on_pages() -> dict[str, str]:
    """Configs that a page tells readers to write: first line ``# configs/...py``."""
    return {
        match[1]: code
        for page in PAGES
        for code in blocks(page, "python")
        if (match := _CONFIG_TITLE.match(code))
    }


def written_by_readers() -> set[str]:
    return set(configs_on_pages())


@pytest.mark.parametrize("name", sorted(configs_on_pages()))
def test_configs_on_pages_can_be_planned(name: str, tmp_path: Path) -> None:
    assert not (ROOT / name).exists(), "the page would overwrite a config"
    shutil.copytree(
        ROOT / "configs", tmp_path / "configs", ignore=shutil.ignore_patterns("__pycache__")
    )
    (tmp_path / name).write_text(configs_on_pages()[name])
    runs = plan(load_config(tmp_path / name), tmp_path / "work")
    assert runs[0].name == "teacher"
    assert "run:teacher" in runs[-1].depends_on


def test_there_are_configs_on_pages() -> None:
    assert len(configs_on_pages()) >= 3


def test_the_loss_on_the_page_works() -> None:
    (code,) = (c for c in blocks(ROOT / "docs/losses.md", "python") if "class CosineLoss" in c)
    space: dict[str, Any] = {"__name__": "page"}
    exec(compile(code, "losses.md", "exec"), space)
    loss = space["CosineLoss"](beta=2.0)
    assert isinstance(loss, DistillLoss)
    shapes = {"student_embedding": (3,), "teacher_embedding": (5,)}
    loss.build(SignalShapes(shapes, num_classes=4))
    student = torch.randn(2, 3, requires_grad=True)
    loss(student_embedding=student, teacher_embedding=torch.randn(2, 5)).backward()
    assert student.grad is not None
    assert student.grad.abs().sum() > 0


def test_the_pytorch_example_of_the_readme_runs() -> None:
    (code,) = (c for c in blocks(ROOT / "README.md", "python") if "cls_kd.Distiller(" in c)
    space: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), space)
    assert all(one.grad is not None for one in space["distiller"].parameters())
    assert all(one.grad is None for one in space["teacher"].parameters())


def test_the_loss_used_alone_on_the_page_works() -> None:
    (code,) = (c for c in blocks(ROOT / "docs/losses.md", "python") if "MODELS.build" in c)
    space: dict[str, Any] = {}
    exec(compile(code, "losses.md", "exec"), space)
    assert set(space["terms"]) == {"loss_target", "loss_non_target"}


def test_the_page_on_pytorch_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its blocks one after the other, with networks that take milliseconds."""
    import torchvision

    def tiny(num_classes: int) -> torch.nn.Module:
        block = torchvision.models.resnet.BasicBlock
        network = torchvision.models.ResNet(block, [1, 1, 1, 1], num_classes=num_classes)
        return network.eval()

    monkeypatch.setattr(torchvision.models, "resnet18", tiny)
    monkeypatch.setattr(torchvision.models, "resnet34", tiny)
    loader = [(torch.randn(2, 3, 32, 32), torch.tensor([1, 7]))]
    space: dict[str, Any] = {"loader": loader}
    for code in blocks(ROOT / "docs/pytorch.md", "python"):
        exec(compile(code.replace("range(100)", "range(1)"), "pytorch.md", "exec"), space)
    assert set(space["terms"]) == {"ce.loss", "kd.loss"}
    assert space["value"] == space["same"]


def test_the_vocabulary_table_is_the_vocabulary() -> None:
    rows = [
        f"| `{one.name}` | {one.shape} | {one.meaning} | {one.provider} |"
        for one in VOCABULARY.values()
    ]
    table = "\n".join(["| signal | shape | meaning | known by |", "|---|---|---|---|", *rows])
    page = (ROOT / "docs/architecture.md").read_text()
    shown = page.split("<!-- vocabulary:begin -->\n")[1].split("\n<!-- vocabulary:end -->")[0]
    assert shown == table, f"docs/architecture.md: put this between the markers:\n{table}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    page = (ROOT / "docs/tools.md").read_text()
    sections = re.split(r"^## ", page, flags=re.M)
    (section,) = [text for text in sections if f"`cls-kd {name}`" in text.splitlines()[0]]
    assert command_options(name) - {"--help"} <= set(_OPTION.findall(section))


TOOLS = sorted(p.name for p in (ROOT / "tools").glob("[!_]*") if p.suffix in (".py", ".sh"))


@pytest.mark.parametrize("name", TOOLS)
def test_every_tool_and_option_is_documented(name: str) -> None:
    page = (ROOT / "docs/tools.md").read_text()
    sections = re.split(r"^## ", page, flags=re.M)
    (section,) = [one for one in sections if f"`tools/{name}`" in one.splitlines()[0]]
    tool = ROOT / "tools" / name
    if tool.suffix == ".py":
        known = options(tool) - {"--help", "--local_rank", "--local-rank"}
        assert known <= set(_OPTION.findall(section))


@pytest.mark.parametrize(
    ("file", "marker"), [("docs/method_table.md", "methods"), ("README.md", "demo")]
)
def test_generated_tables_have_their_place(file: str, marker: str) -> None:
    page = (ROOT / file).read_text()
    assert page.count(f"<!-- {marker}:begin -->") == page.count(f"<!-- {marker}:end -->") == 1
