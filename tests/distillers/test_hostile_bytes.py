"""Bytes at random, and changed checkpoints: the restricted readers refuse them, or read data."""

from __future__ import annotations

import io
import pickle
import pickletools
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cls_kd.data.pickles import read_pickle
from cls_kd.distillers.checkpoints import read_checkpoint
from cls_kd.errors import UserError

EXAMPLES = settings(
    max_examples=100,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
_OPCODES = [opcode.code.encode("latin-1") for opcode in pickletools.opcodes]
_GLOBALS = [b"cbuiltins\neval\n", b"cos\nsystem\n", b"cnumpy\nndarray\n", b"cbuiltins\ngetattr\n"]
PARTS = st.one_of(
    st.sampled_from([*_OPCODES, *_GLOBALS]),
    st.sampled_from([b"R", b"i", b"o", b"b", b"\x81", b"(", b"t", b"}", b"u", b"."]),
    st.text("0123456789\n'x", max_size=4).map(str.encode),
    st.binary(max_size=6),
)
PROGRAMS = st.lists(PARTS, max_size=24).map(lambda parts: b"\x80\x02" + b"".join(parts) + b".")


def plain_file() -> bytes:
    """A small checkpoint in PyTorch's format."""
    stream = io.BytesIO()
    torch.save({"state_dict": {"weight": torch.arange(6.0)}, "meta": {"epoch": 1}}, stream)
    return stream.getvalue()


PLAIN = plain_file()


def is_data(value: Any) -> bool:
    """True if it is made of tensors, numbers, texts and containers of them."""
    if isinstance(value, dict):
        return all(is_data(item) for pair in value.items() for item in pair)
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(is_data, value))
    plain = (str, bytes, bytearray, int, float, complex, type(None), torch.Tensor)
    return isinstance(value, plain) or type(value).__module__.startswith(("torch", "numpy"))


@pytest.fixture(autouse=True)
def _nothing_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    def called(*args: object) -> None:
        raise SystemExit("code of the file ran")

    monkeypatch.setattr("os.system", called)
    monkeypatch.setattr("builtins.eval", called)


@EXAMPLES
@given(PROGRAMS)
def test_programs_of_pickle_as_checkpoints(tmp_path: Path, program: bytes) -> None:
    path = tmp_path / "program.pth"
    with zipfile.ZipFile(io.BytesIO(PLAIN)) as plain, zipfile.ZipFile(path, "w") as changed:
        for member in plain.infolist():
            is_program = member.filename.endswith("data.pkl")
            changed.writestr(member, program if is_program else plain.read(member))
    try:
        assert is_data(read_checkpoint(path))
    except UserError as error:
        assert "program.pth" in str(error)  # noqa: PT017


@EXAMPLES
@given(st.integers(0, len(PLAIN) - 1), st.binary(min_size=1, max_size=8))
def test_changed_checkpoints(tmp_path: Path, start: int, written: bytes) -> None:
    path = tmp_path / "changed.pth"
    path.write_bytes(PLAIN[:start] + written + PLAIN[start + len(written) :])
    try:
        assert is_data(read_checkpoint(path))
    except UserError as error:
        assert "changed.pth" in str(error)  # noqa: PT017


@EXAMPLES
@given(PROGRAMS)
def test_programs_of_pickle_as_data_sets(program: bytes) -> None:
    try:
        assert is_data(read_pickle(program, "train"))
    except UserError as error:
        assert str(error).startswith("train")  # noqa: PT017


def test_what_is_called_would_be_noticed() -> None:
    program = b"cos\nsystem\n(S'true'\ntR."
    with pytest.raises(SystemExit):
        pickle.loads(program)
    with pytest.raises(UserError, match="refused"):
        read_pickle(program, "train")


def test_a_checkpoint_that_is_small_on_the_disk_alone_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2**20)}, tmp_path / "plain.pth")
    with (
        zipfile.ZipFile(tmp_path / "plain.pth") as plain,
        zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for member in plain.infolist():
            packed.writestr(member.filename, plain.read(member))
    assert read_checkpoint(tmp_path / "plain.pth")["weight"].shape == (2**20,)
    with pytest.raises(UserError, match=r"bomb\.pth was refused: .* in memory"):
        read_checkpoint(tmp_path / "bomb.pth")
