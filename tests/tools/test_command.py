"""The command ``cls-kd``: its help, its names for configs, and one run of a list."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from cls_kd.cli.command_line import COMMANDS, build_parser, command_module
from cls_kd.errors import UserError
from cls_kd.runs.config_names import find_config, is_packaged, packaged_configs
from tests.tools.conftest import ONE_EPOCH, Trained
from tests.tools.driver import PAIR, command, contents, spawn

HEAVY = {"mmengine", "numpy", "rich", "torch"}


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom cls_kd.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: print(*sorted(sys.modules), sep='\\n')"
    )
    lines = spawn("python", "-c", script).succeeded().out.splitlines()
    assert HEAVY.isdisjoint(lines)
    for name, (_, summary) in COMMANDS.items():
        assert any(line.strip().startswith(name) for line in lines), name
        assert summary.split()[0] in " ".join(lines)


def test_the_module_is_the_command() -> None:
    outcome = spawn("python", "-m", "cls_kd", "--version").succeeded()
    assert outcome.out == command("--version").succeeded().out
    assert outcome.out.startswith("cls_kd ")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["trian"], "there is no command 'trian'. Did you mean 'train'?"),
        (["check_data"], "there is no command 'check_data'. Did you mean 'check-data'?"),
        ([], "required: COMMAND"),
        (["methods", "--chekc"], "unrecognized arguments: --chekc"),
    ],
)
def test_a_wrong_command_line(words: list[str], hint: str) -> None:
    assert command(*words).refused(hint).code == 2


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_examples_that_can_be_parsed(name: str) -> None:
    text = command(name, "--help").succeeded().out
    module = command_module(name)
    assert module.EXAMPLES
    for example in module.EXAMPLES:
        assert example in text
        program, *words = shlex.split(example.split(" > ")[0])
        assert (program, words[0]) == ("cls-kd", name)
        build_parser(words, module).parse_args(words)


def test_a_packaged_config_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config("digits/pair").samefile(PAIR)
    assert find_config(PAIR) == PAIR
    assert find_config("mine.py") == Path("mine.py")
    assert not is_packaged("_base_/runtime/default")
    row = "benchmarks/kd/cifar100/resnet56_resnet20"
    assert not find_config(row).is_file()
    assert {row, "digits/pair"} <= set(packaged_configs())
    Path("digits").mkdir()
    Path("digits/pair").write_text("a file of the user's")
    assert find_config("digits/pair") == Path("digits/pair")
    text = command("config", "digits/branches").succeeded().out
    assert text == command("config", find_config("digits/branches")).out


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("digits/dem", "Did you mean 'digits/demo'"),
        ("demo", "Did you mean 'digits/demo'"),
        ("qqqq", "Packaged configs are in: baselines, benchmarks"),
    ],
)
def test_a_wrong_name_of_a_config(name: str, hint: str) -> None:
    with pytest.raises(UserError, match=hint):
        find_config(name)
    command("train", name).refused(
        f"The config {name} does not exist, here or in the package.", hint
    )


def test_one_run_of_a_list(trained: Trained, tmp_path: Path) -> None:
    options = ("--method", "nkd", "--work-dir", tmp_path, *ONE_EPOCH)
    outcome = command("train", PAIR, "--run", "nkd", *options)
    needed = f"cls-kd train {PAIR} --run teacher --method nkd --work-dir {tmp_path}"
    outcome.refused("builds on the run teacher (seed 0), which is not finished", needed)
    outcome.refused("Train it first, with the same --cfg-options: ")
    command("train", PAIR, "--run", "nk", *options).refused("Did you mean 'nkd'")
    assert contents(tmp_path) == {}

    shutil.copytree(trained.work_dir / "teacher", tmp_path / "teacher")
    before = contents(tmp_path / "teacher")
    command("train", PAIR, "--run", "nkd", *options).succeeded()
    assert contents(tmp_path / "teacher") == before
    assert (tmp_path / "nkd" / "result.json").is_file()
    assert "1 of 1 runs are finished" in command("train", PAIR, "--run", "nkd", *options).err


def test_a_row_of_a_benchmark_is_a_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    named = command("config", "--benchmark", "dkd/cifar100/vgg13_vgg8").succeeded().out
    assert "'beta': 6.0" in named
    assert command("config", "benchmarks/dkd/cifar100/vgg13_vgg8").succeeded().out == named
    command("config", "--benchmark", "dkd/cifar100/vgg13_vgg9").refused("vgg13_vgg8")
    command("config").refused("Name one config")
    command("config", "digits/pair", "--benchmark", "dkd/cifar100/vgg13_vgg8").refused("one config")
