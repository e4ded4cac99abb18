#!/usr/bin/env python
"""Cost of K trainings with one teacher: K bare PyTorch loops, K runs, and runs trained together.

python benchmarks/sweep_cost.py --threads 1                     ResNet32x4 to ResNet8x4, on the CPU
python benchmarks/sweep_cost.py --threads 1 --counts 2 --block 1 --blocks 3     a short form

The methods are KD at K temperatures, so that all have the same cost and the bare loop is easily
written. Data are synthetic images in the form of CIFAR-100, read, cropped and flipped as in every
training. All contestants are in one process and take turns, a block of steps each; the order is
reversed in every second round. A cost is the processor time of the process (on a GPU, the time
until it has done its work), divided by that of K bare loops in the same round: median and quartiles
over rounds. Teachers are untrained.

The bare loops, "runs" and "together" compute the teacher as it is; of the other columns one has its
defaults (batch norm folded, channels last), one students with channels last as well, and one a
teacher in bfloat16 on top. With stored outputs the teacher's outputs have been stored before by a
training on the same batches.

The limit is what sharing the teacher alone allows, (T + K S) / (K (T + S)), with T the teacher's
pass and S the rest of the bare loop, measured in the same rounds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from greenlet import GreenletExit, getcurrent, greenlet
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.hooks import Hook
from torch import Tensor

from cls_kd.data.synthetic import write_cifar100
from cls_kd.engine import build_runner, load_config
from cls_kd.engine.cohort import Cohort
from cls_kd.engine.compat import prepare_process
from cls_kd.engine.generators import Generators
from cls_kd.engine.surroundings import Alone, Surroundings
from cls_kd.engine.train import build_parts
from cls_kd.runs.config_names import find_config

TEMPERATURES = (4.0, 2.0, 3.0, 6.0, 1.0, 8.0, 5.0, 10.0)
LEARNING_RATE = 0.01


@dataclass(frozen=True)
class Variant:
    """A way to train K methods.

    Attributes:
        name: Column of the table.
        together: Whether the runs are trained together.
        change: Changes the config of each run.
    """

    name: str
    together: bool
    change: Callable[[Config], None] = lambda cfg: None


def plain(cfg: Config) -> None:
    """The teacher as a bare loop computes it."""
    cfg.model.teacher.update(fold_batch_norm=False, channels_last=False)


def by_default(cfg: Config) -> None:
    """The teacher as a training computes it: exact but for rounding."""
    for option in ("fold_batch_norm", "channels_last"):
        del cfg.model.teacher[option]


def fast(cfg: Config) -> None:
    """The same, and a student with channels last."""
    by_default(cfg)
    cfg.model.student_channels_last = True


def bfloat16(cfg: Config) -> None:
    """The same, with a teacher in bfloat16."""
    fast(cfg)
    cfg.model.teacher.dtype = "bfloat16"


def stored(cfg: Config) -> None:
    """The teacher as a bare loop computes it, from stored outputs."""
    cfg.model.teacher.store = {}


VARIANTS = [
    Variant("runs", together=False),
    Variant("together", together=True),
    Variant("together, default teacher", together=True, change=by_default),
    Variant("together, fast", together=True, change=fast),
    Variant("together, bfloat16 teacher", together=True, change=bfloat16),
    Variant("runs, stored outputs", together=False, change=stored),
]


def now() -> float:
    """Seconds, as they are counted here."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


class Contestant:
    """Something that trains, some steps at a time, in a coroutine of its own.

    Args:
        train: Trains for ever; it calls the function that it is given after each block.
    """

    def __init__(self, train: Callable[[Callable[[], None]], None]) -> None:
        self._main = getcurrent()
        self._paused: Any = greenlet(lambda: train(self._pause))
        self._generators = Generators()
        self._states = self._generators.get()

    def advance(self) -> float:
        """Train a block of steps. Returns its time in seconds."""
        self._generators.get()
        self._generators.set(self._states)
        started = now()
        self._paused.switch()
        seconds = now() - started
        self._states = self._generators.get()
        return seconds

    def end(self) -> None:
        """Stop the training where it is."""
        with suppress(GreenletExit):
            self._paused.throw(GreenletExit)

    def _pause(self) -> None:
        self._paused = getcurrent()
        self._main.switch()


class BlockHook(Hook):
    """Calls ``pause`` after each block of steps."""

    priority = "LOWEST"

    def __init__(self, block: int, pause: Callable[[], None]) -> None:
        self._block = block
        self._pause = pause

    def after_train_iter(self, runner: Any, *_: Any, **__: Any) -> None:
        """Pause, if a block is over."""
        if (runner.iter + 1) % self._block == 0:
            self._pause()


def train_runs(
    configs: list[Config], variant: Variant, block: int, pause: Callable[[], None]
) -> None:
    """Train configs by the runner; the last one pauses."""

    def train_one(cfg: Config, surroundings: Surroundings) -> None:
        runner = build_runner(cfg, surroundings=surroundings)
        if cfg is configs[-1]:
            runner.register_hook(BlockHook(block, pause))
        try:
            runner.train()
        finally:
            runner.close()

    if variant.together:
        members = Cohort().train([partial(train_one, cfg) for cfg in configs])
        raise members[0].error or AssertionError("the training has ended")
    train_one(configs[0], Alone())


class BareLoop:
    """What one would write by hand.

    Args:
        cfg: Gives data, networks and temperature.

    Attributes:
        seconds: Processor time of the teacher's passes of `teach`.
    """

    def __init__(self, cfg: Config) -> None:
        distiller, loaders, _ = build_parts(cfg)
        self._loader = loaders["train_dataloader"]
        self._preprocess = distiller.data_preprocessor
        distiller.to(get_device())
        self._teacher = distiller.teachers[0].network.eval()
        self._student = distiller.student.train()
        self._temperature = cfg.model.losses.kd.temperature
        self.seconds = 0.0
        self._optimizer = torch.optim.SGD(
            self._student.parameters(), lr=LEARNING_RATE, momentum=0.9, weight_decay=5e-4
        )

    def train(self, block: int, pause: Callable[[], None]) -> None:
        """Take steps."""
        for step, batch in enumerate(self._batches(), start=1):
            self._step(batch, self.taught(batch["inputs"]))
            if step % block == 0:
                pause()

    def teach(self, block: int, pause: Callable[[], None]) -> None:
        """Only let the teacher see the batches."""
        for step, batch in enumerate(self._batches(), start=1):
            started = now()
            self.taught(batch["inputs"])
            self.seconds += now() - started
            if step % block == 0:
                pause()

    def taught(self, images: Tensor) -> Tensor:
        """The teacher's logits."""
        with torch.no_grad():
            return self._teacher(images)

    def _batches(self) -> Iterator[dict[str, Any]]:
        while True:
            for batch in self._loader:
                yield self._preprocess(batch, True)

    def _step(self, batch: dict[str, Any], taught: Tensor) -> None:
        logits = self._student(batch["inputs"])
        labels = batch["data_samples"].labels
        student = F.log_softmax(logits / self._temperature, dim=1)
        teacher = F.softmax(taught / self._temperature, dim=1)
        distilled = self._temperature**2 * F.kl_div(student, teacher, reduction="batchmean")
        loss = 0.1 * F.cross_entropy(logits, labels) + 0.9 * distilled
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()


@dataclass
class Costs:
    """Processor times of a step, in seconds, one value a round.

    Attributes:
        teacher: The teacher's pass, T.
        bare: One bare loop, T + S.
        of: Variant and number of methods to the time of a step of all of them.
    """

    teacher: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    of: dict[tuple[str, int], list[float]] = field(default_factory=dict)

    def ratios(self, name: str, count: int) -> list[float]:
        """Times of a variant divided by those of bare loops."""
        pairs = zip(self.of[name, count], self.bare, strict=True)
        return [seconds / (count * bare) for seconds, bare in pairs]

    def limits(self, count: int) -> list[float]:
        """What sharing the teacher alone allows."""
        pairs = zip(self.teacher, self.bare, strict=True)
        return [(teacher + count * (bare - teacher)) / (count * bare) for teacher, bare in pairs]

    def table(self, counts: list[int], names: list[str]) -> str:
        """The costs, in Markdown."""
        milliseconds = [1e3 * statistics.median(times) for times in (self.teacher, self.bare)]
        lines = [
            f"torch {torch.__version__}, {torch.get_num_threads()} threads, "
            f"{len(self.bare)} rounds. Processor time of the teacher's pass: {milliseconds[0]:.0f} "
            f"ms; of a step of one bare loop: {milliseconds[1]:.0f} ms.",
            "",
            f"| methods | bare loops | limit | {' | '.join(names)} |",
            f"|---|---|---|{'---|' * len(names)}",
        ]
        for count in counts:
            cells = [
                _cell(self.limits(count)),
                *(_cell(self.ratios(name, count)) for name in names),
            ]
            lines.append(f"| {count} | 1 | {' | '.join(cells)} |")
        return "\n".join(lines)


def _cell(ratios: list[float]) -> str:
    if len(ratios) < 2:
        return f"{ratios[0]:.3f}"
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def measure(args: argparse.Namespace, folder: Path) -> Costs:
    """Let all contestants train in turn."""
    most = max(args.counts)
    configs = [_config(args, folder, number) for number in range(most)]
    bare, teacher = BareLoop(configs[0]), BareLoop(configs[0])
    contestants: dict[tuple[str, int], Contestant] = {
        ("bare", 1): Contestant(partial(bare.train, args.block)),
        ("teacher", 1): Contestant(partial(teacher.teach, args.block)),
    }
    for variant in args.variants:
        if variant.change is stored:
            _fill_store(configs[0], variant, args, folder)
        for count in args.counts if variant.together else [1]:
            changed = [_changed(cfg, variant, count, folder) for cfg in configs[:count]]
            contestants[variant.name, count] = Contestant(
                partial(train_runs, changed, variant, args.block)
            )
    rounds: list[dict[tuple[str, int], float]] = []
    try:
        for number in range(args.warmup + args.blocks):
            keys = list(contestants)[:: -1 if number % 2 else 1]
            teacher.seconds = 0.0
            seconds = {key: contestants[key].advance() / args.block for key in keys}
            seconds["teacher", 1] = teacher.seconds / args.block
            rounds.append(seconds)
    finally:
        for contestant in contestants.values():
            contestant.end()
    return _costs(rounds[args.warmup :], args)


def _fill_store(cfg: Config, variant: Variant, args: argparse.Namespace, folder: Path) -> None:
    """Store the teacher's outputs of every batch."""
    filling = _changed(cfg, variant, 0, folder)
    contestant = Contestant(partial(train_runs, [filling], variant, args.block))
    for _ in range(args.warmup + args.blocks):
        contestant.advance()
    contestant.end()


def _costs(rounds: list[dict[tuple[str, int], float]], args: argparse.Namespace) -> Costs:
    costs = Costs(
        [seconds["teacher", 1] for seconds in rounds], [seconds["bare", 1] for seconds in rounds]
    )
    for variant in args.variants:
        for count in args.counts:
            # A run alone costs the same whatever its temperature.
            key, times = (
                ((variant.name, count), 1) if variant.together else ((variant.name, 1), count)
            )
            costs.of[variant.name, count] = [times * seconds[key] for seconds in rounds]
    return costs


def _config(args: argparse.Namespace, folder: Path, number: int) -> Config:
    cfg = load_config(find_config(args.pair))
    data = {"data_root": str(folder / "data"), "checksum": False}
    cfg.merge_from_dict(
        {
            "train_dataloader.dataset": data,
            "train_dataloader.batch_size": args.batch_size,
            "val_dataloader.dataset": data,
            "train_cfg.val_interval": 10**6,
            "default_hooks.teacher": {"type": "TeacherHook", "evaluate": False},
            "optim_wrapper.optimizer.lr": LEARNING_RATE,
            "model.losses.kd.temperature": TEMPERATURES[number % len(TEMPERATURES)],
            "console_log_level": "ERROR",
            "launcher": "none",
        }
    )
    cfg.model.teacher.weights = "random"
    plain(cfg)
    cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None
    return cfg


def _changed(cfg: Config, variant: Variant, count: int, folder: Path) -> Config:
    changed = Config(cfg.to_dict())
    variant.change(changed)
    temperature = cfg.model.losses.kd.temperature
    if "store" in changed.model.teacher:
        changed.model.teacher.store.dir = str(folder / "stores")
    changed.work_dir = str(folder / f"{variant.name} {count} {temperature}".replace(" ", "_"))
    return changed


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pair", default="pairs/cifar100/resnet32x4_resnet8x4")
    parser.add_argument("--counts", type=int, nargs="+", default=[2, 4, 8], help="numbers K")
    names = [variant.name for variant in VARIANTS]
    parser.add_argument("--variants", nargs="+", choices=names, default=names)
    parser.add_argument("--blocks", type=int, default=8, help="rounds that count")
    parser.add_argument("--warmup", type=int, default=1, help="rounds that do not count")
    parser.add_argument("--block", type=int, default=2, help="steps of a block")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--threads", type=int, help="of PyTorch (default: its own choice)")
    parser.add_argument("--output", type=Path, help="append the table to this file")
    args = parser.parse_args(argv)
    args.variants = [variant for variant in VARIANTS if variant.name in args.variants]
    return args


def main(argv: list[str] | None = None) -> Costs:
    """Measure, print, return."""
    args = parse_args(argv)
    prepare_process()
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    steps = (args.warmup + args.blocks + 1) * args.block
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_cifar100(folder / "data", train=max(100, steps * args.batch_size), test=100, seed=0)
        costs = measure(args, folder)
    table = costs.table(args.counts, [variant.name for variant in args.variants])
    print(table)
    if args.output is not None:
        with args.output.open("a", encoding="utf-8") as file:
            file.write(table + "\n\n")
    return costs


if __name__ == "__main__":
    main()
