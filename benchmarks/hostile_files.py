"""Files that somebody else has made to do harm, for `faults.py`: each is refused, or harmless."""

from __future__ import annotations

import json
import os
import pickle
import resource
import shutil
import struct
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fault_runs
import torch
from fault_runs import REFUSED, Row
from hostile_archives import archive_cases, cifar_pickles
from mmcv.transforms import LoadImageFromFile
from mmengine.logging import HistoryBuffer
from safetensors.torch import save_file

from cls_kd.data import CINIC10
from cls_kd.data.check import decode
from cls_kd.data.reading import NamedLoading
from cls_kd.distillers.checkpoints import read_checkpoint
from cls_kd.engine.exported import read_exported
from cls_kd.reporting import make_report
from cls_kd.reporting.experiments import Experiment
from cls_kd.reporting.html.page import page
from cls_kd.teacher_store import entries
from cls_kd.teacher_store.folder import read_parts

MARKER = "it_ran"
_MEMORY = 4 * 2**30
_NESTED = "[" * 100_000
_SCRIPT = "</script><script>document.title='it ran'</script><img src=x onerror=alert(1)>"

Case = tuple[str, str, Callable[[Path], object]]
"""Kind, description, and a function that makes the file in a folder and opens it."""


class Calls:
    """Is unpickled by a call."""

    def __init__(self, function: Any, *args: Any) -> None:
        self._call = (function, args)

    def __reduce__(self) -> tuple[Any, ...]:
        return self._call


def payloads(folder: Path) -> dict[str, Any]:
    """Objects whose unpickling makes a file, or reaches something that could."""
    marker = folder / MARKER
    return {
        "os.system": Calls(os.system, f"touch {marker}"),
        "eval": Calls(eval, f"open({str(marker)!r}, 'w')"),
        "open": Calls(open, str(marker), "w"),
        "getattr": Calls(getattr, HistoryBuffer, "__init__"),
        "import": Calls(__import__, "antigravity"),
    }


def checkpoint_cases() -> Iterator[Case]:
    """Checkpoints."""
    for name in payloads(Path()):
        for zipped in (True, False):

            def opened(folder: Path, name: str = name, zipped: bool = zipped) -> object:
                content = {"state_dict": {"a": torch.ones(1)}, "meta": payloads(folder)[name]}
                path = folder / "hostile.pth"
                torch.save(content, path, _use_new_zipfile_serialization=zipped)
                return read_checkpoint(path)

            yield "checkpoint", f"{name}, {'zip' if zipped else 'old format'}", opened

    def bomb(folder: Path) -> object:
        torch.save({"a": torch.zeros(2**26)}, folder / "plain.pth")
        with (
            zipfile.ZipFile(folder / "plain.pth") as plain,
            zipfile.ZipFile(folder / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as packed,
        ):
            for member in plain.infolist():
                packed.writestr(member.filename, plain.read(member))
        return read_checkpoint(folder / "bomb.pth")

    yield "checkpoint", "zip bomb", bomb
    yield "checkpoint", "a bare pickle", _bare_pickle
    for name, content in {
        "a web page": b"<html>",
        "empty": b"",
        "nested": b"\x80\x02" + b"]" * 10**6,
    }.items():
        yield "checkpoint", name, _reader("hostile.pth", content)


def _bare_pickle(folder: Path) -> object:
    (folder / "bare.pth").write_bytes(pickle.dumps(payloads(folder)["eval"]))
    return read_checkpoint(folder / "bare.pth")


def _reader(name: str, content: bytes) -> Callable[[Path], object]:
    def opened(folder: Path) -> object:
        (folder / name).write_bytes(content)
        return read_checkpoint(folder / name)

    return opened


def safetensors_cases() -> Iterator[Case]:
    """Headers that state what is not there."""
    tensor = {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}
    for name, header in {
        "offsets beyond the end": json.dumps({"a": tensor}),
        "nested header": _NESTED,
        "no JSON": "x" * 64,
    }.items():
        content = struct.pack("<Q", len(header)) + header.encode()
        yield "safetensors", name, _reader("hostile.safetensors", content)
    yield "safetensors", "header of 2^60", _reader("h.safetensors", struct.pack("<Q", 2**60))


def png(width: int, height: int) -> bytes:
    """An image that states its size and has hardly any pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


_IMAGES = {
    "60,000 x 60,000": png(60_000, 60_000),
    "20,000 x 20,000": png(20_000, 20_000),
    "2^31 x 2^31": png(2**31 - 1, 2**31 - 1),
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) (w) file\n",
}


def image_cases() -> Iterator[Case]:
    """Images in training, in check-data, and in CINIC-10."""
    for name, content in _IMAGES.items():

        def trained(folder: Path, content: bytes = content) -> object:
            (folder / "a.png").write_bytes(content)
            return NamedLoading(LoadImageFromFile())({"img_path": str(folder / "a.png")})

        def checked(folder: Path, content: bytes = content) -> object:
            try:
                return decode(content)
            except Exception:  # as check-data does, which lists it
                return None

        def cinic(folder: Path, content: bytes = content) -> object:
            for label in CINIC10.METAINFO["classes"]:
                (folder / "train" / label).mkdir(parents=True)
            (folder / "train" / "cat" / "a.png").write_bytes(content)
            return CINIC10(str(folder), "train")

        yield "image", f"{name}, training", trained
        yield "image", f"{name}, check-data", checked
        yield "CINIC-10", name, cinic


def result_cases() -> Iterator[Case]:
    """Results in a report."""
    result = {"run": _SCRIPT, "seed": 0, "epochs": 1, "val": [{"epoch": 1, "accuracy/top1": 50.0}]}
    rest = {"train": [], "teacher": {}, "method": _SCRIPT, "environment": {"device": _SCRIPT}}
    changes: dict[str, Any] = {
        "run names with <script>": {},
        "a number that is infinite": {"val": [{"epoch": 1, "accuracy/top1": 1e999}]},
        "a list in place of a number": {"seed": [1]},
        "a path as checkpoint": {"checkpoint": "../../../etc/passwd"},
    }
    for name, change in changes.items():

        def reported(folder: Path, change: dict[str, Any] = change) -> object:
            (folder / "run").mkdir()
            content = json.dumps({**result, **rest, **change})
            (folder / "run" / "result.json").write_text(content)
            text = page(_SCRIPT, [Experiment(_SCRIPT, make_report(folder))])
            return _must_not("<script>document.title" in text or "<img src=x" in text, folder)

        yield "result.json", name, reported

    def nested(folder: Path) -> object:
        (folder / "result.json").write_text(_NESTED)
        return make_report(folder)

    yield "result.json", "nested", nested


def _must_not(is_there: bool, folder: Path) -> None:
    if is_there:
        (folder / MARKER).touch()


def exported_cases() -> Iterator[Case]:
    """Exported students."""
    facts: dict[str, Any] = dict.fromkeys(("network", "mean", "std", "classes"), None)
    facts.update(input_shape=[3, 8, 8], channel_order="rgb", pipeline=[])
    for name, target in {"os.system": "os.system", "subprocess": "subprocess.Popen"}.items():

        def pipeline(folder: Path, target: str = target) -> object:
            step = {"type": target, "command": f"touch {folder / MARKER}"}
            (folder / "student.json").write_text(json.dumps({**facts, "pipeline": [step]}))
            save_file({"a": torch.ones(1)}, folder / "student.safetensors")
            return read_exported(folder)

        def network(folder: Path, target: str = target) -> object:
            config = {"type": target, "command": f"touch {folder / MARKER}"}
            (folder / "student.json").write_text(json.dumps(facts))
            metadata = {"config": json.dumps(config)}
            save_file({"a": torch.ones(1)}, folder / "student.safetensors", metadata)
            return read_exported(folder)

        yield "exported student", f"{name} in the pipeline", pipeline
        yield "exported student", f"{name} in the weights", network

    def nested(folder: Path) -> object:
        (folder / "student.json").write_text(_NESTED)
        save_file({"a": torch.ones(1)}, folder / "student.safetensors")
        return read_exported(folder)

    yield "exported student", "nested", nested


def store_cases() -> Iterator[Case]:
    """Stored teacher outputs: the key, and names of files."""

    def opened(folder: Path, make: Callable[[Path], object]) -> object:
        store = folder / ("0" * 32)
        store.mkdir()
        make(store / "key.json")
        entries(folder)
        return read_parts(store)

    makers: dict[str, Callable[[Path], object]] = {
        "another key": lambda file: file.write_text("{}"),
        "nested key": lambda file: file.write_text(_NESTED),
        "key that is a link": lambda file: file.symlink_to("/etc/passwd"),
        "endless key": lambda file: file.symlink_to("/dev/zero"),
    }
    for name, make in makers.items():
        yield "stored outputs", name, lambda folder, make=make: opened(folder, make)


def files(folder: Path, tries: int, seed: int) -> list[Row]:
    """Open each file in a process of its own with bounded memory; all of them, once."""
    outcomes: dict[str, list[str]] = defaultdict(list)
    groups = (
        checkpoint_cases(),
        safetensors_cases(),
        cifar_pickles(payloads),
        archive_cases(),
        image_cases(),
        result_cases(),
        exported_cases(),
        store_cases(),
    )
    for number, (kind, name, open_it) in enumerate(case for group in groups for case in group):
        place = folder / str(number)
        place.mkdir()
        log = folder / f"{number}.log"
        code = fault_runs.ended(_bounded, open_it, place, log=log, seconds=30)
        escaped = (place / MARKER).exists() or any((folder / "outside").glob("*"))
        text = log.read_text()[-300:]
        outcome = {0: "harmless", REFUSED: "refused"}.get(code, f"{name}: exit code {code} {text}")
        outcomes[kind].append(f"{name}: IT RAN" if escaped else outcome)
        shutil.rmtree(place)
    return [Row(f"hostile {kind}", len(found), _counted(found)) for kind, found in outcomes.items()]


def _counted(outcomes: list[str]) -> str:
    counts = {text: outcomes.count(text) for text in outcomes}
    return ", ".join(f"{number} {text}" for text, number in counts.items())


def _bounded(open_it: Callable[[Path], object], folder: Path) -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, used + _MEMORY))
    open_it(folder)
