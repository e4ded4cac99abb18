"""Every method on the digits: which runs there are, and that the page shows their results."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cls_kd.runs import mark_finished, mark_started
from cls_kd.runs.methods import known_methods

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import digits_methods as digits
import digits_page
from digits_methods import Result


@pytest.mark.parametrize(
    ("method", "pair"),
    [
        ("kd", "digits/pair"),
        ("aekd", "digits/teachers"),
        ("one", "digits/branches"),
        ("dot", "digits/dot"),
        ("norm", "digits/norm"),
        ("vitkd", "digits/transformer"),
        ("vkd", "digits/transformer_of_cnn"),
        ("distillation_token", "digits/distillation_token"),
    ],
)
def test_a_method_has_the_pair_that_it_is_for(method: str, pair: str) -> None:
    assert digits.pair_of(method) == pair


def test_distillation_weights_are_scaled_and_those_of_the_task_are_not() -> None:
    assert digits.scaled("kd", digits.PAIR, 0.1) == {"model.losses.kd.weight": pytest.approx(0.09)}
    (warm_up,) = digits.scaled("dkd", digits.PAIR, 10.0).items()
    assert warm_up[0].startswith("model.losses.dkd.weight")
    assert digits.scaled("label_smoothing", digits.PAIR, 10.0) is None


def test_a_search_validates_and_the_rest_is_tested(tmp_path: Path) -> None:
    search = digits.searched({digits.PAIR: ["kd"]}, tmp_path)
    trials = [item for item in search if item.stage == "search"]
    assert [item.factor for item in trials] == list(digits.FACTORS)
    assert not any(item.run.cfg.get("test_dataloader") for item in trials)
    assert {item.run.seed for item in trials} == {digits.SEARCH_SEED}
    tested = digits.published({digits.PAIR: ["kd"]}, tmp_path)
    names = [(item.method, item.run.seed) for item in tested if item.stage == "published"]
    assert names == [(name, seed) for name in ("student", "kd") for seed in digits.SEEDS]
    chosen = digits.tuned({digits.PAIR: ["kd", "nkd"]}, {"kd": 0.1, "nkd": 1.0}, tmp_path)
    assert [item.method for item in chosen if item.stage == "tuned"] == ["kd"] * 3
    assert len({item.run.work_dir for item in [*trials, *tested, *chosen]}) == 4 + 7 + 3


def test_results_are_read_from_finished_runs_and_others_are_kept(tmp_path: Path) -> None:
    (kd,) = (
        item
        for item in digits.planned({"kd": {}}, digits.PAIR, "published", 1.0, tmp_path, [0])
        if item.method == "kd"
    )
    assert digits.train([kd], training=False) == []
    mark_started(kd.run, resume=False)
    mark_finished(kd.run, {"test": {"accuracy/top1": 81.25}})
    results = digits.train([kd], training=False)
    assert results == [Result("kd", digits.PAIR, "published", 1.0, 0, 81.25)]
    file = tmp_path / "results.csv"
    failed = Result("at", digits.PAIR, "search", 10.0, 100, None, 'DivergedError: "a", b')
    digits.write_results([failed], file)
    digits.write_results(results, file)
    assert digits.read_results(file)[1:] == results
    assert digits.read_results(file)[0].accuracy is None
    assert digits.read_results(file)[0].error == "DivergedError: 'a', b"


def test_the_factor_nearest_to_one_wins_among_equals() -> None:
    scores = {"kd": (80, 90, 90, 85), "at": (90, 90, 80, 70), "fsp": (90, 80, 80, 90)}
    results = [
        Result(name, digits.PAIR, "search", factor, digits.SEARCH_SEED, float(score))
        for name, values in scores.items()
        for factor, score in zip(digits.FACTORS, values, strict=True)
    ]
    assert digits.best_factors(results) == {"kd": 1.0, "at": 0.1, "fsp": 10.0}


def test_the_page_shows_the_results_in_the_file() -> None:
    page = digits_page.PAGE.read_text(encoding="utf-8")
    assert digits_page.filled(page, digits.read_results()) == page
    methods = {result.method for result in digits.read_results()} - {digits.STUDENT}
    assert methods <= set(known_methods())
    assert all(f"| `{method}` |" in page for method in methods)


def test_a_method_is_compared_with_the_student_and_with_kd() -> None:
    def runs(method: str, scores: tuple[float, ...]) -> list[Result]:
        return [
            Result(method, digits.PAIR, "published", 1.0, seed, score)
            for seed, score in enumerate(scores)
        ]

    search = [Result(n, digits.PAIR, "search", 1.0, 100, 80.0) for n in ("kd", "nkd")]
    results = [
        *runs("student", (70.0, 71.0, 72.0)),
        *runs("kd", (75.0, 77.0, 76.0)),
        *runs("nkd", (74.0, 75.5, 76.0)),
        *search,
    ]
    text = digits_page.tables(results)
    assert "The student alone: 71.00 ± 1.00 on `digits/pair`." in text
    (row,) = (line for line in text.splitlines() if line.startswith("| `nkd` |"))
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells[:3] == ["`nkd`", "pair", "75.17 ± 1.04"]
    assert cells[3].startswith("+4.17 [")
    assert cells[4] == "x1"
    assert cells[7].startswith("-0.83 [")
    assert "than the student alone" in text
