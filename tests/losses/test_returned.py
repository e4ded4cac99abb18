"""A loss returns a scalar tensor, or a dict of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cls_kd.errors import UserError
from cls_kd.losses.returned import check_returned

WRONG: dict[str, tuple[Any, tuple[str, ...]]] = {
    "logits": (torch.zeros(4, 10), ("'mine'", "(4, 10)", "scalar")),
    "one for each sample": (torch.zeros(4), ("'mine'", "(4,)", "loss.mean()")),
    "on a device without values": (torch.zeros(4, device="meta"), ("(4,)",)),
    "a float": (0.5, ("'mine'", "0.5", "float", ".item()")),
    "nothing": (None, ("'mine'", "None", "NoneType")),
    "in a dict": ({"loss_a": torch.zeros(()), "rate": torch.zeros(3)}, ("'rate'", "(3,)")),
    "no loss in a dict": ({"rate": torch.zeros(())}, ("rate", "no key holds 'loss'")),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_scalar_is_refused(name: str) -> None:
    value, words = WRONG[name]
    with pytest.raises(UserError) as refused:
        check_returned("mine", value)
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_scalars_are_terms(device: str) -> None:
    value = torch.zeros((), device=device)
    assert check_returned("mine", value) == {"loss": value}
    terms = {"loss_a": value, "rate": value}
    assert check_returned("mine", terms) is terms
