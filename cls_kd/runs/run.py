"""One run: its config, its folder, and what it leaves there."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from cls_kd.errors import UserError
from cls_kd.files import write_atomically
from cls_kd.runs.checkpoints import CheckpointReference, file_name
from cls_kd.runs.plain_config import PlainConfig
from cls_kd.runs.sections import SECTIONS
from cls_kd.runs.stores import without_places

RESULT = "result.json"
CONFIG = "config.py"


@dataclass
class Run:
    """One training.

    Attributes:
        name: Name in the list; empty for a config that is one run.
        seed: Its seed.
        cfg: Its whole config; references to other runs still stand in it.
        work_dir: Where it writes.
        depends_on: The runs that it refers to, by reference.
    """

    name: str
    seed: int
    cfg: Config
    work_dir: Path
    depends_on: dict[str, Run] = field(default_factory=dict)
    _formatted: tuple[str, str] = field(default=("", ""), init=False, repr=False, compare=False)

    @property
    def title(self) -> str:
        """For people: ``kd (seed 3)``."""
        return f"{self.name or self.work_dir.name} (seed {self.seed})"

    def text(self) -> str:
        """The config as it is dumped: what training reads, and not where it writes.

        A config's other names (``seeds``, parts that its runs share) would else make every
        finished run a changed one as soon as a seed is added.
        """
        sections = {key: value for key, value in self.cfg.to_dict().items() if key in SECTIONS}
        if "model" in sections:
            sections["model"] = without_places(sections["model"])
        # Formatting takes most of a digest's time, and a sweep asks for it several times.
        values = repr(sections)
        if self._formatted[0] != values:
            self._formatted = (values, PlainConfig(sections).pretty_text)
        return self._formatted[1]

    def digest(self) -> str:
        """SHA-256 of the config and of the runs that it builds on."""
        parts = [self.text(), *(self.depends_on[key].digest() for key in sorted(self.depends_on))]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def result(self) -> dict[str, Any] | None:
        """The result of the finished run, or None.

        Raises:
            UserError: The file is damaged.
        """
        file = self.work_dir / RESULT
        if not file.is_file():
            return None
        try:
            return json.loads(file.read_text())
        except json.JSONDecodeError as error:
            raise UserError(f"{file} is damaged ({error}): remove it to run again.") from None

    def checkpoint(self) -> str:
        """Path of the last checkpoint.

        Raises:
            UserError: There is none yet.
        """
        pointer = self.work_dir / "last_checkpoint"
        if not pointer.is_file():
            raise UserError(f"The run {self.title} has no checkpoint in {self.work_dir}.")
        # The folder may have been moved since the pointer was written.
        return str(self.work_dir / Path(pointer.read_text().strip()).name)

    def checkpoint_of(self, epoch: int | None) -> str:
        """Path of the checkpoint after an epoch; None for the last one.

        Raises:
            UserError: There is none.
        """
        if epoch is None:
            return self.checkpoint()
        path = self.work_dir / file_name(epoch)
        if not path.is_file():
            raise UserError(
                f"The run {self.title} has no checkpoint of epoch {epoch} in {self.work_dir}: it "
                "was removed, or training ended before."
            )
        return str(path)

    def resolved(self) -> Config:
        """The config with references replaced by the paths that they stand for."""
        paths = {
            reference: run.checkpoint_of(CheckpointReference.parse(reference).epoch)
            for reference, run in self.depends_on.items()
        }
        cfg = PlainConfig(map_strings(self.cfg.to_dict(), lambda text: paths.get(text, text)))
        cfg.work_dir = str(self.work_dir)
        return cfg


def check_unchanged(run: Run) -> bool:
    """Test for a finished run whose config is still the same.

    Raises:
        UserError: It was finished, or begun, with another config; the difference is shown.
    """
    result = run.result()
    dumped = run.work_dir / CONFIG
    if result is not None and result.get("digest") == run.digest():
        return True
    if dumped.is_file() and (result is not None or (run.work_dir / "last_checkpoint").is_file()):
        before = dumped.read_text()
        if result is None and before == run.text():
            return False
        lines = difflib.unified_diff(
            before.splitlines(), run.text().splitlines(), "before", "now", lineterm="", n=0
        )
        difference = "\n".join(lines) or "(a run that it builds on has changed)"
        raise UserError(
            f"The run {run.title} in {run.work_dir} was made with another config:\n{difference}\n"
            "Use another --work-dir, or --restart to run it anew."
        )
    return False


def mark_started(run: Run, *, resume: bool) -> None:
    """Write the run's config; without ``resume``, forget what an earlier try left behind."""
    run.work_dir.mkdir(parents=True, exist_ok=True)
    (run.work_dir / RESULT).unlink(missing_ok=True)
    if not resume:
        (run.work_dir / "last_checkpoint").unlink(missing_ok=True)
    write_atomically(run.work_dir / CONFIG, run.text())


def mark_finished(run: Run, result: dict[str, Any]) -> None:
    """Write the run's result, the sign that it is finished."""
    facts = {"run": run.name, "seed": run.seed, "digest": run.digest(), **result}
    write_atomically(run.work_dir / RESULT, json.dumps(facts, indent=1))


def map_strings(value: Any, change: Callable[[str], str]) -> Any:
    """A config with ``change`` applied to every string in its dicts, lists and tuples."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return type(value)({key: map_strings(item, change) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return type(value)(map_strings(item, change) for item in value)
    return value
