"""The generated pages of the site cover every loss, config and export; no Sphinx is needed here."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import cls_kd.losses
from cls_kd.engine.catalog import catalog
from cls_kd.losses import DistillLoss
from cls_kd.runs.benchmarks import read_cells
from cls_kd.runs.compose import known_methods

ROOT = Path(__file__).parents[2]
EXTENSIONS = ("api_pages", "loss_docstrings", "method_pages", "project_pages", "restructured_text")
COMPLETE = """Match the logits.

    Paper: A and B 2020, arXiv:2001.00001

    .. math:: L = a \\|z^s - z^t\\|

    with a number a.

    [0] A, B, "A title", 2020, arXiv:2001.00001.
    [1] owner/repository@abc1234:losses/x.py. Difference: a mean in
        place of a sum.

    Shapes:
        student_logits, teacher_logits: (N, K).

    Args:
        alpha: a. Default:
            the paper's.

    Weight:
        2.5 on ImageNet.
    """


@pytest.fixture(scope="module")
def site() -> Iterator[dict[str, ModuleType]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs" / "_ext"))
        yield {name: importlib.import_module(name) for name in EXTENSIONS}
        for name in EXTENSIONS:
            patch.delitem(sys.modules, name)


@pytest.fixture(scope="module")
def method_pages(site: dict[str, ModuleType]) -> dict[str, str]:
    return site["method_pages"].pages()


def test_every_loss_has_a_page_and_a_row(method_pages: dict[str, str]) -> None:
    names = {
        name
        for name, value in vars(cls_kd.losses).items()
        if inspect.isclass(value) and issubclass(value, DistillLoss) and value is not DistillLoss
    }
    assert len(names) > 30
    assert {f"{name}.rst" for name in names} | {"index.rst"} == set(method_pages)
    index = method_pages["index.rst"]
    for name in names:
        assert f":class:`~cls_kd.losses.{name}`" in index
        assert f"   {name}\n" in index


def test_a_page_has_formula_signals_options_and_configs(method_pages: dict[str, str]) -> None:
    for entry in catalog():
        page = method_pages[f"{entry.name}.rst"]
        assert ".. math::" in page
        for signal in entry.signals:
            assert f"``{signal}``" in page, entry.name
        for option in entry.options:
            assert f"* - ``{option}``" in page, entry.name


def test_every_method_config_is_shown_and_has_one_label(method_pages: dict[str, str]) -> None:
    text = "\n".join(method_pages.values())
    for name in known_methods():
        assert f".. literalinclude:: /../configs/methods/{name}.py" in text, name
    labels = re.findall(r"^\.\. _config-(\w+):$", text, re.M)
    assert sorted(labels) == sorted(known_methods())
    assert set(re.findall(r"<config-(\w+)>", text)) <= set(labels)


def test_every_published_result_is_shown_with_its_source(
    site: dict[str, ModuleType], method_pages: dict[str, str]
) -> None:
    text = "\n".join(method_pages.values())
    cells = read_cells()
    assert len(cells) > 100
    for cell in cells:
        assert f"* - ``{cell.pair}``" in text, cell
        assert site["restructured_text"].with_links(cell.source) in text, cell
    (row,) = re.findall(
        r"``cifar100/vgg13_vgg8``\n     - 74.64\n     - 70.36\n     - 74.68 ‡\n     - \+4.32",
        method_pages["DKDLoss.rst"],
    )
    assert row


def test_every_export_is_in_the_api_reference(site: dict[str, ModuleType]) -> None:
    pages = site["api_pages"].pages()
    assert ".. autoclass:: cls_kd.distillers.Distiller\n" in pages["distillers.rst"]
    assert ".. autoclass:: cls_kd.losses.DistillLoss\n" in pages["losses.rst"]
    for path in (ROOT / "cls_kd").glob("*/__init__.py"):
        package = importlib.import_module(f"cls_kd.{path.parent.name}")
        for name, value in site["api_pages"].exports(package).items():
            if site["api_pages"].is_repeated(package, value):
                continue
            assert f"{package.__name__}.{name}" in pages[f"{path.parent.name}.rst"], name


def test_a_complete_docstring_is_taken_apart(site: dict[str, ModuleType]) -> None:
    parsed = site["loss_docstrings"].parse("AnyLoss", COMPLETE, ["alpha"])
    assert parsed.paper == "A and B 2020, arXiv:2001.00001"
    assert parsed.description.endswith("with a number a.")
    assert parsed.code.endswith("Difference: a mean in place of a sum.")
    assert parsed.shapes == {"student_logits, teacher_logits": "(N, K)."}
    assert parsed.arguments == {"alpha": "a. Default: the paper's."}
    assert parsed.weight == "2.5 on ImageNet."


@pytest.mark.parametrize(
    ("removed", "named"),
    [
        ("Paper: A and B 2020, arXiv:2001.00001", "'Paper: Authors YEAR"),
        (".. math:: L =", "a formula"),
        ("[0] A", "the reference '[0]'"),
        ("[1] owner", "the authors' code '[1]'"),
        ("Shapes:", "the section 'Shapes:'"),
        ("alpha: a", "the argument 'alpha'"),
    ],
)
def test_a_missing_section_is_named(site: dict[str, ModuleType], removed: str, named: str) -> None:
    loss_docstrings = site["loss_docstrings"]
    assert removed in COMPLETE
    with pytest.raises(loss_docstrings.IncompleteDocstringError) as raised:
        loss_docstrings.parse("AnyLoss", COMPLETE.replace(removed, ""), ["alpha"])
    assert str(raised.value).startswith("The docstring of AnyLoss lacks")
    assert named in str(raised.value)


def test_text_is_not_taken_for_markup(site: dict[str, ModuleType]) -> None:
    escaped = site["restructured_text"].escaped
    assert escaped("T. Default: 4 * x_1, ``a*b``") == r"T\. Default: 4 \* x\_1, ``a*b``"
    assert escaped("owner/name@abc1234") == r"owner/name\@abc1234"


def test_links_to_code_and_papers(site: dict[str, ModuleType]) -> None:
    with_links = site["restructured_text"].with_links
    linked = with_links("owner/name@abc1234:a/b_c.py. As in arXiv:2001.00001.")
    assert linked == (
        r"`owner/name\@abc1234:a/b\_c.py <https://github.com/owner/name/blob/abc1234/a/b_c.py>`__"
        ". As in `arXiv:2001.00001 <https://arxiv.org/abs/2001.00001>`__."
    )
    assert with_links("No public code / none.") == "No public code / none."


@pytest.mark.parametrize(
    ("link", "on_the_site"),
    [
        ("../CONTRIBUTING.md#style", "../project/contributing.md#style"),
        ("../README.md", "../index.md"),
        ("../README.md#methods", "../methods/index.rst"),
        ("configs.md#runs", "../configs.md#runs"),
        ("https://example.org/a.md", "https://example.org/a.md"),
        ("#here", "#here"),
    ],
)
def test_links_are_rewritten_for_the_site(
    site: dict[str, ModuleType], link: str, on_the_site: str
) -> None:
    rewrite = site["project_pages"].with_site_links
    assert rewrite(f"[text]({link})", "docs", "guides/x.md") == f"[text]({on_the_site})"


def test_the_diagram_is_readable_xml_without_foreign_resources() -> None:
    text = (ROOT / "docs" / "images" / "signals.svg").read_text()
    ElementTree.fromstring(text)
    assert set(re.findall(r"https?://[^\"']+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(image|script)|@import|url\((?!#)", text)
