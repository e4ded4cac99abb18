"""The page of a report: what it holds, and that it needs nothing else."""

from __future__ import annotations

import builtins
import json
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from cls_kd.cli import main
from cls_kd.reporting import make_report
from cls_kd.reporting.experiments import Experiment, pair_folders
from cls_kd.reporting.html.page import MAX_BYTES, page
from cls_kd.reporting.html.published import cell_of
from cls_kd.reporting.html.settings import Difference, differences, read_settings
from cls_kd.reporting.html.teachers import teachers_table
from cls_kd.reporting.latency import Latency, write_latency
from cls_kd.runs.benchmarks import read_cells
from tests.reporting.fabricated import write_pair, write_run

TITLE = "A <title> & more"
PAIRS = ("<i>&pair", "cifar100_vgg13_vgg8")
ODD = "</script><b onclick=alert(1)>&'\"</b>"
# Namespaces, which nothing is read from.
ALLOWED = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


class Elements(HTMLParser):
    """Start tags with their attributes, and the text of each script by its id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self._script: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._script = dict(attrs).get("id") if tag == "script" else None

    def handle_endtag(self, tag: str) -> None:
        self._script = None

    def handle_data(self, data: str) -> None:
        if self._script:
            self.scripts[self._script] = data


def experiments(root: Path) -> list[Experiment]:
    return [Experiment(pair, make_report(root / pair, baseline="ce")) for pair in PAIRS]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sweep")
    for pair in PAIRS:
        write_pair(
            root / pair,
            {"ce": (70.1, 70.4, 69.9), "dkd": (74.0, 74.5, 73.6), "kd": (73.1, 74.0, 73.9)},
        )
        for seed in range(3):
            folder = root / pair / "odd" / f"seed_{seed}"
            write_run(folder, ODD, seed, 71.0 + seed)
            write_latency(folder, Latency(1.5 + seed, (1.4, 1.6), 8, 1, "a CPU"))
    return root


@pytest.fixture(scope="module", autouse=True)
def _without_figures() -> Iterator[None]:
    """Figures take a second each; test_reporting.py draws them."""

    def draw(figure: Any, file: Path, **options: Any) -> None:
        Path(file).touch()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matplotlib.figure.Figure.savefig", draw)
        yield


@pytest.fixture(scope="module")
def output(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command writes of the sweep."""
    output = tmp_path_factory.mktemp("output") / "both"
    words = ["report", str(root), "--baseline", "ce", "--output", str(output), "--title", TITLE]
    main([*words, "--html", "--latex"])
    return output


@pytest.fixture(scope="module")
def text(output: Path) -> str:
    return (output / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def elements(text: str) -> Elements:
    return Elements(text)


def test_the_command_writes_every_format(output: Path) -> None:
    written = ["report.csv", "report.html", "report.md", "report.png", "report.tex"]
    assert sorted(path.name for path in output.iterdir()) == written


def test_the_same_results_give_the_same_bytes_below_the_limit(root: Path, text: str) -> None:
    assert page(TITLE, experiments(root), read_cells()) == text
    assert len(text.encode()) < MAX_BYTES


def test_nothing_is_loaded_from_elsewhere(text: str, elements: Elements) -> None:
    assert set(re.findall(r"https?://[^\s\"'<>)]+", text)) <= ALLOWED
    tags = elements.tags
    policies = [a["content"] for _, a in tags if "http-equiv" in a]
    assert [policy for policy in policies if policy and policy.startswith("default-src 'none';")]
    addresses = [a[key] for _, a in tags for key in ("src", "href") if key in a]
    assert all(address and address.startswith(("#", "data:")) for address in addresses)


def test_names_are_text_and_never_markup(text: str, elements: Elements) -> None:
    assert "<title>A &lt;title&gt; &amp; more</title>" in text
    assert "<h3>&lt;i&gt;&amp;pair</h3>" in text
    assert not {"b", "i"} & {tag for tag, _ in elements.tags}
    assert ODD not in text


def test_the_plots_show_the_results(text: str, elements: Elements) -> None:
    specs = json.loads(elements.scripts["specs"])
    kinds = ("scores", "curves", "seconds")
    assert set(specs) == {"gains", "published_results"} | {
        f"pair_{i}_{kind}" for i in range(2) for kind in kinds
    }
    (gains,) = (v for v in values_of(specs["gains"]) if "low" in v[0])
    assert {(r["pair"], r["method"]) for r in gains} == {
        (pair, method) for pair in PAIRS for method in ("kd", "dkd", ODD)
    }
    assert next(r["gain"] for r in gains if r["method"] == "dkd") == pytest.approx(3.9, abs=1e-3)
    published = values_of(specs["published_results"])
    (records,) = (v for v in published if "track" in v[0])
    rows = {(r["row"], r["kind"], r["track"]) for r in records}
    row = f"dkd, best (protocol) {PAIRS[1]}"
    assert {(row, "ours", "protocol"), (row, "published", "protocol")} <= rows
    ours = next(r for r in records if r["row"] == row and r["kind"] == "ours")
    assert ours["score"] == pytest.approx(75.033, abs=1e-3)
    assert ours["low"] < ours["score"] < ours["high"]
    curves = next(v for v in values_of(specs["pair_0_curves"]) if len(v) > 1)
    assert [r["mean"] for r in curves if r["method"] == "ce"] == pytest.approx(
        [35.067, 71.133, 69.133], abs=1e-3
    )
    assert text.count("<noscript><svg") == len(specs)
    axis = specs["pair_0_curves"]["layer"][0]["encoding"]["x"]["axis"]
    assert axis["values"] == [1, 2, 3]  # never at half an epoch


def values_of(spec: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """All data of a plot: Altair names them, and shares them between layers."""
    own = [layer["data"]["values"] for layer in spec["layer"] if "values" in layer.get("data", {})]
    shared = spec.get("data", {}).get("values")
    return [*own, *([shared] if shared else []), *spec.get("datasets", {}).values()]


def test_the_page_says_what_the_results_say(text: str) -> None:
    assert "Better than ce: dkd (+3.90 [" in text
    assert 'data-order="1.5"' in text  # latency of one run
    assert "forward pass of the student; batch of 8, 1 thread, a CPU." in text
    assert "<td>protocol</td>" in text  # DKD on VGG-13 and VGG-8 is published
    assert "<code>model.losses.dkd</code>" in text
    assert '<th scope="row">torch</th><td>2.15.0</td>' in text


def test_teachers_have_every_metric_that_was_measured(tmp_path: Path) -> None:
    for run, ece in (("ce", None), ("kd", 4.5), ("dkd", 4.5)):
        metrics = {"accuracy/top1": 97.5, "calibration/ece": ece}
        teacher = {} if ece is None else {"0": metrics}
        write_run(tmp_path / run / "seed_0", run, 0, 70.0, teacher=teacher)
    table = teachers_table([Experiment("pair", make_report(tmp_path, baseline="ce"))])
    assert table.titles == ["Pair", "Teacher", "top-1 accuracy", "calibration/ece", "Methods"]
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["pair", "0", "97.50", "4.50", "dkd, kd"]
    ]


def test_tables_can_be_sorted_and_filtered_by_values(elements: Elements) -> None:
    options = json.loads(elements.scripts["table-options"])
    assert set(options) == {"methods", "runs", "published", "teachers"}
    tables = {a["id"] for tag, a in elements.tags if tag == "table" and "id" in a}
    assert set(options) <= tables
    kinds = [entry["columnControl"] for entry in options["methods"]["columnDefs"]]
    assert kinds == [["order", ["searchList"]], ["order", "searchDropdown"]]


def test_cells_of_a_pair() -> None:
    cells = read_cells()
    names = ("vgg13_vgg8", "cifar100/vgg13_vgg8", "cifar100_vgg13_vgg8", "CIFAR100-vgg13_vgg8")
    assert {cell_of("dkd", name, cells).name for name in names} == {"dkd/cifar100/vgg13_vgg8"}
    assert cell_of("dkd", "vgg13", cells) is None
    assert cell_of("nothing", "vgg13_vgg8", cells) is None


def test_settings_are_read_as_data(tmp_path: Path) -> None:
    file = tmp_path / "config.py"
    file.write_text("a = {'b': [1, (2.5, None)]}\nc = 'd'\n")
    assert read_settings(file) == {"a": {"b": [1, (2.5, None)]}, "c": "d"}
    for hostile in ("a = open('x', 'w')\n", "import os\n", "a.b = 1\n", "a = (\n"):
        file.write_text(hostile)
        assert read_settings(file) is None
    assert read_settings(tmp_path / "none.py") is None


def test_differences_name_a_missing_part_once() -> None:
    before = {"model": {"losses": {"ce": {"weight": 1.0}}}, "lr": 0.1}
    after = {"model": {"losses": {"ce": {"weight": 0.5}, "kd": {"a": 1, "b": 2}}}, "lr": 0.1}
    assert differences(before, after) == [
        Difference("model.losses.ce.weight", "1.0", "0.5"),
        Difference("model.losses.kd", "-", "{'a': 1, 'b': 2}"),
    ]


def test_pairs_of_a_sweep(root: Path, tmp_path: Path) -> None:
    assert pair_folders(root) == [root / pair for pair in PAIRS]
    assert pair_folders(root / PAIRS[0]) == []
    assert pair_folders(tmp_path) == []


def test_without_the_extra_the_command_names_it_and_writes_nothing(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    imported = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "altair":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return imported(name, *args, **kwargs)

    monkeypatch.setitem(sys.modules, "altair", None)
    monkeypatch.setattr(builtins, "__import__", without)
    output = tmp_path / "output"
    folder = str(root / PAIRS[0])
    with pytest.raises(SystemExit) as stopped:
        main(["report", folder, "--output", str(output), "--html"])
    assert stopped.value.code == 1
    assert "pip install 'cls_kd[report]'" in capsys.readouterr().err
    assert not output.exists()
    main(["report", folder, "--output", str(output), "--latex"])
    assert (output / "report.md").is_file()
    assert (output / "report.tex").is_file()
