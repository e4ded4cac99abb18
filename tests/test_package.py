"""What the built package contains and requires."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from setuptools import Distribution

import cls_kd
from cls_kd.cli import main

ROOT = Path(__file__).parents[1]
SUPPORTED_PYTHON = ("3.10", "3.11", "3.12", "3.13")
# Experiment trackers: their recipes are tested where they are installed.
NOT_PINNED = {"mlflow", "wandb"}


@pytest.fixture(scope="module")
def distribution() -> Iterator[Distribution]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        distribution = Distribution({"script_name": "setup.py"})
        distribution.parse_config_files()
        yield distribution


def packaged_files(distribution: Distribution) -> set[str]:
    """Paths of the data files in a wheel, below ``cls_kd``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        build = distribution.get_command_obj("build_py")
        build.ensure_finalized()
        return {
            f"{package.replace('.', '/')}/{name}"
            for package, _, _, names in build.get_data_files_without_manifest()
            for name in names
        }


def test_the_wheel_holds_the_type_marker_every_config_and_the_page_of_the_report(
    distribution: Distribution,
) -> None:
    configs = {
        f"cls_kd/{path.relative_to(ROOT)}"
        for path in (ROOT / "configs").rglob("*")
        if path.suffix in (".py", ".yml")
    }
    page = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "cls_kd" / "reporting" / "html").iterdir()
        if path.suffix in (".css", ".j2", ".js")
    }
    assert len(configs) > 200
    assert len(page) == 3
    assert packaged_files(distribution) == configs | page | {"cls_kd/py.typed"}


def test_the_wheel_holds_every_package_and_no_other(distribution: Distribution) -> None:
    packages = {
        str(path.parent.relative_to(ROOT)).replace("/", ".")
        for path in (ROOT / "cls_kd").rglob("__init__.py")
    }
    assert set(distribution.packages) == packages


def test_metadata(distribution: Distribution) -> None:
    assert distribution.get_version() == cls_kd.__version__
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.search(r"^version: (.+)$", citation, re.M)[1] == cls_kd.__version__
    assert distribution.python_requires == f">={SUPPORTED_PYTHON[0]}"


def test_the_command_is_the_function(distribution: Distribution) -> None:
    (script,) = distribution.entry_points["console_scripts"]
    name, value = (part.strip() for part in script.split("="))
    assert name == "cls-kd"
    assert EntryPoint(name, value, "console_scripts").load() is main


def pins(python: str) -> dict[str, str]:
    """Version of each package in requirements.txt under a version of Python."""
    lines = re.findall(r"^([\w.-]+==.*)$", (ROOT / "requirements.txt").read_text(), re.M)
    environment = {"python_version": python, "platform_system": "Linux", "sys_platform": "linux"}
    versions: dict[str, str] = {}
    for requirement in map(Requirement, lines):
        if requirement.marker is None or Marker(str(requirement.marker)).evaluate(environment):
            assert requirement.name not in versions, f"{requirement.name} twice on Python {python}"
            (specifier,) = requirement.specifier
            versions[requirement.name] = specifier.version
    return versions


@pytest.mark.parametrize("python", SUPPORTED_PYTHON)
def test_every_dependency_is_pinned_within_its_range(
    distribution: Distribution, python: str
) -> None:
    pinned = pins(python)
    extras = distribution.extras_require
    for text in [*distribution.install_requires, *(line for e in extras.values() for line in e)]:
        requirement = Requirement(text)
        if requirement.name in NOT_PINNED:
            continue
        assert requirement.name in pinned, text
        assert pinned[requirement.name] in requirement.specifier, text
