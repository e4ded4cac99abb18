"""docs/coverage.md: every method that others list is here, or is named with a reason."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cls_kd.runs.compose import known_methods

ROOT = Path(__file__).parents[2]
# The lists of the four, as they stand in their files at the commits of frameworks.yml.
MDISTILLER = "NONE KD AT OFD RKD FITNET KDSVD CRD NST PKT SP VID REVIEWKD DKD"
LISTED = {
    "mdistiller": MDISTILLER,
    "RepDistiller": "ABLoss Attention Correlation HintLoss FSP FactorTransfer DistillKL KDSVD"
    " NSTLoss PKT RKDLoss Similarity VIDLoss",
    "torchdistill": "SimpleLossWrapper DictLossWrapper KDLoss FSPLoss ATLoss PKTLoss FTLoss"
    " AltActTransferLoss RKDLoss VIDLoss CCKDLoss SPKDLoss CRDLoss AuxSSKDLoss SSKDLoss PADL2Loss"
    " HierarchicalContextLoss RegularizationLoss KTALoss AffinityLoss ChSimLoss DISTLoss SRDLoss"
    " LogitStdKDLoss DISTPlusLoss SKDInstanceLoss SKDDirectionLoss",
    "logit-standardization-KD": f"{MDISTILLER} MLKD Sonly",
}


@pytest.fixture(scope="module")
def coverage() -> Iterator[ModuleType]:
    names = ("coverage_page", "method_pages", "loss_docstrings", "restructured_text")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs" / "_ext"))
        yield importlib.import_module("coverage_page")
        for name in names:
            patch.delitem(sys.modules, name, raising=False)


@pytest.fixture(scope="module")
def page(coverage: ModuleType) -> str:
    return coverage.PAGE.read_text(encoding="utf-8")


def test_the_page_is_up_to_date(coverage: ModuleType, page: str) -> None:
    assert coverage.page(page) == page, "run python docs/_ext/coverage_page.py"


@pytest.mark.parametrize("framework", LISTED)
def test_every_listed_method_is_here_or_has_a_reason(
    coverage: ModuleType, page: str, framework: str
) -> None:
    there: Any = coverage.read_frameworks()[framework]
    assert set(LISTED[framework].split()) <= {*there.methods, *there.missing}
    for name in (*there.methods, *there.missing):
        assert f"`{name}`" in page, name
    assert all(len(reason) > 10 for reason in there.missing.values())


def test_names_of_ours_are_methods(coverage: ModuleType) -> None:
    for name, framework in coverage.read_frameworks().items():
        ours = {method for methods in framework.methods.values() for method in methods}
        assert ours <= set(known_methods()), name
        assert not set(framework.methods) & set(framework.missing), name


def test_every_method_is_checked(coverage: ModuleType, page: str) -> None:
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    assert set(known_methods()) <= set(rows)
    assert not [name for name in known_methods() if rows[name].endswith("| none |")]
    assert "training steps of megvii-research/mdistiller; reference values" in rows["dkd"]
    assert rows["crd"].endswith("by hand (`test_crd.py`) |")
    assert "reference values" in rows["ofd"]
