#!/usr/bin/env python
"""Time of a training step here, divided by that of a bare PyTorch loop which does the same work.

python benchmarks/step_overhead.py                                 on the CPU, some minutes
python benchmarks/step_overhead.py --threads 1 --clock cpu         where others work on the machine
python benchmarks/step_overhead.py --pairs tiny --profile          where the difference goes
python benchmarks/step_overhead.py --device cuda --pairs resnet --batch-size 256 --amp
python benchmarks/step_overhead.py --device cuda --pairs resnet32x4 --cuda-graph --limit

Ours is the real runner: its loop, hooks, log lines, preprocessing, `Distiller.train_step`. The bare
loop has the same networks, initial weights, uint8 batches, loss and optimizer, and keeps nothing
but the losses. Batches are ready beforehand for both. They run in turn in one process, a block of
steps each; the ratio is the median over pairs of neighboring blocks, with quartiles. In every
block of ours one log line is written, oftener than the usual one in 50 steps where it is shorter.
The teacher is computed as it is, without folded batch norms and the like, unless --fast-teacher.

With --limit two more blocks take turns: the teacher's pass T, and the student's step S on labels
alone. T + S is what a distillation of logits costs at least where nothing is shared.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dataset import default_collate, pseudo_collate
from mmengine.registry import init_default_scope
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.utils.data import DataLoader

from cls_kd.distillers import Distiller
from cls_kd.engine import DistillRunner, read_config
from cls_kd.engine.captured_step import WARM_UP
from cls_kd.engine.compat import amp_wrapper
from cls_kd.registry import MODELS

Batch = dict[str, Any]
CONFIGS = Path(__file__).parents[1] / "configs"
RUNTIME, NETWORKS = CONFIGS / "_base_" / "runtime" / "default.py", CONFIGS / "networks"
CLASSES = 10
SGD = dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=5e-4)


@dataclass
class Pair:
    """Two networks and the images that they see."""

    teacher: dict[str, Any]
    student: dict[str, Any]
    channels: int
    size: int
    batch_size: int
    block: int


def digits_cnn(*widths: int) -> dict[str, Any]:
    """The classifiers of ``configs/digits``."""
    return dict(
        type="ImageClassifier",
        backbone=dict(type="DigitsCNN", widths=widths),
        neck=dict(type="GlobalAveragePooling"),
        head=dict(type="LinearClsHead", num_classes=CLASSES, in_channels=widths[-1]),
    )


def resnet(depth: int, base_channels: int = 64, cifar: bool = False) -> dict[str, Any]:
    """mmpretrain's ResNet, or the one for 32x32 images."""
    return dict(
        type="ImageClassifier",
        backbone=dict(
            type="ResNet_CIFAR" if cifar else "ResNet",
            depth=depth,
            stem_channels=base_channels,
            base_channels=base_channels,
        ),
        neck=dict(type="GlobalAveragePooling"),
        head=dict(type="LinearClsHead", num_classes=CLASSES, in_channels=8 * base_channels),
    )


def cifar(teacher: str, student: str) -> Pair:
    """A pair of CRD's table, of ``configs/networks``."""
    networks = (read_config(NETWORKS / f"{name}.py")[name].to_dict() for name in (teacher, student))
    return Pair(*networks, 3, 32, 64, block=20)


PAIRS = {
    "tiny": Pair(digits_cnn(32, 64, 128), digits_cnn(4, 8, 8), 1, 8, 50, block=50),
    "small": Pair(resnet(34, 16, True), resnet(18, 8, True), 3, 32, 16, block=20),
    "medium": Pair(resnet(34), resnet(18), 3, 64, 16, block=5),
    "resnet": Pair(resnet(34), resnet(18), 3, 224, 64, block=10),
    "resnet32x4": cifar("cifar_resnet32x4", "cifar_resnet8x4"),
    "wrn40_2": cifar("cifar_wrn40_2", "cifar_wrn16_2"),
    "shufflenet_v2": cifar("cifar_resnet32x4", "cifar_shufflenet_v2"),
}


@dataclass
class Method:
    """The losses of a config, and the same by hand."""

    losses: dict[str, Any]
    by_hand: Callable[[Tensor, Tensor, list[Tensor], list[Tensor]], Tensor]
    stages: bool = False


def kd_by_hand(student: Tensor, teacher: Tensor, *_: list[Tensor]) -> Tensor:
    """What ``losses.kd`` weighs: temperature 4, weight 0.9."""
    softened = F.log_softmax(student / 4, 1), F.softmax(teacher / 4, 1)
    return 0.9 * 16 * F.kl_div(*softened, reduction="batchmean")


def at_by_hand(_: Tensor, __: Tensor, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
    """Attention transfer of all stages, which are of equal size here; weight 1000."""
    pairs = (
        [F.normalize(one.pow(2).mean(1).flatten(1)) for one in pair]
        for pair in zip(student, teacher, strict=True)
    )
    return 1000.0 * sum(F.mse_loss(*pair) for pair in pairs)


METHODS = {
    "kd": Method(dict(kd=dict(type="KDLoss", temperature=4.0, weight=0.9)), kd_by_hand),
    "at": Method(dict(at=dict(type="ATLoss", p=2, weight=1000.0)), at_by_hand, stages=True),
}


class Stopwatch:
    """Host time by part; a part that another one calls is counted once, as itself."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.seconds: dict[str, float] = {}
        self._inner = [0.0]

    def watch(self, owner: Any, method: str, part: str) -> None:
        """Count the time of ``owner.method``, for this one object."""
        call = getattr(owner, method)

        def counted(*args: Any, **options: Any) -> Any:
            self._inner.append(0.0)
            start = self.clock()
            result = call(*args, **options)
            whole = self.clock() - start
            self.seconds[part] = self.seconds.get(part, 0.0) + whole - self._inner.pop()
            self._inner[-1] += whole
            return result

        object.__setattr__(owner, method, counted)


class BareLoop:
    """What one would write by hand, with copies of the distiller's networks.

    Args:
        distiller: Ours, ready to train.
        pair: What it was built from.
        method: The losses.
        args: Of the command line.
    """

    def __init__(
        self, distiller: Distiller, pair: Pair, method: Method, args: argparse.Namespace
    ) -> None:
        self.method, self.device = method, torch.device(args.device)
        self.student = _twin(pair.student, distiller.student).to(self.device).train()
        self.teacher = _twin(pair.teacher, distiller.teachers[0].network).to(self.device).eval()
        self.teacher.requires_grad_(False)
        if args.compile:
            self.student.backbone.compile(backend=args.backend)
            self.teacher.backbone.compile(backend=args.backend)
        self.maps: dict[str, list[Tensor]] = {"student": [], "teacher": []}
        if method.stages:
            self._collect("student", self.student)
            self._collect("teacher", self.teacher)
        preprocessor = distiller.data_preprocessor
        self.flip, self.mean, self.std = preprocessor.to_rgb, preprocessor.mean, preprocessor.std
        options = {key: value for key, value in SGD.items() if key != "type"}
        self.optimizer = torch.optim.SGD(self.student.parameters(), **options)
        self.dtype = torch.bfloat16 if args.amp else None
        self.losses: list[Tensor] = []

    def step(self, batch: Batch) -> None:
        """One training step."""
        inputs, labels = self.normalized(batch)
        self.update(self.loss(inputs, labels))

    def normalized(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Images and labels, ready on the device."""
        images = batch["inputs"]
        images = torch.stack(images) if isinstance(images, list) else images
        images = images.to(self.device, non_blocking=True)
        images = images.flip(1) if self.flip else images
        labels = torch.cat([sample.gt_label for sample in batch["data_samples"]])
        labels = labels.to(self.device, non_blocking=True)
        return images.float().sub_(self.mean).div_(self.std), labels

    def loss(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Both passes and the loss."""
        with self.autocast():
            with torch.no_grad():
                taught = self.teacher(inputs)
            logits = self.student(inputs)
        logits, taught = logits.float(), taught.float()
        student, teacher = ([one.float() for one in kept] for kept in self.maps.values())
        self._forget()
        distilled = self.method.by_hand(logits, taught, student, teacher)
        return 0.1 * F.cross_entropy(logits, labels) + distilled

    def update(self, loss: Tensor) -> None:
        """Backward and optimizer."""
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.losses.append(loss.detach())

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """bfloat16 where mixed precision is asked for."""
        if self.dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def teach(self, batch: Batch) -> None:
        """The teacher's pass alone."""
        inputs, _ = self.normalized(batch)
        with self.autocast(), torch.no_grad():
            self.teacher(inputs)
        self._forget()

    def learn(self, batch: Batch) -> None:
        """The student's step on labels alone."""
        inputs, labels = self.normalized(batch)
        with self.autocast():
            logits = self.student(inputs)
        self._forget()
        self.optimizer.zero_grad()
        F.cross_entropy(logits.float(), labels).backward()
        self.optimizer.step()

    def _forget(self) -> None:
        for kept in self.maps.values():
            kept.clear()

    def _collect(self, name: str, network: nn.Module) -> None:
        backbone = network.backbone
        places = getattr(backbone, "res_layers", None) or backbone.taps["stages"]
        for place in places:
            module = backbone.get_submodule(place)
            module.register_forward_hook(lambda *seen: self.maps[name].append(seen[2]))


class Interleaved(DataLoader):
    """A loader that times the runner's blocks, and between two of them the bare loop's.

    The runner asks for the first batch of the next block when it is through with the last one.

    Args:
        batches: Ready batches; every block goes through them in order, from the start.
        pair: For the length of a block.
        args: Of the command line.
    """

    def __init__(self, batches: list[Batch], pair: Pair, args: argparse.Namespace) -> None:
        super().__init__([item for batch in batches for item in batch["data_samples"]])
        self.batches, self.block, self.rounds = batches, pair.block, args.blocks + args.warmup
        self.warmup, self.device = args.warmup, args.device
        self.clock = time.process_time if args.clock == "cpu" else time.perf_counter
        self.ours: list[float] = []
        self.bare: list[float] = []
        self.limits: list[float] = []
        self.measures_limit = args.limit
        self.start: Callable[[], BareLoop]
        self.watches: tuple[Stopwatch, Stopwatch] | None = None

    def __len__(self) -> int:
        return self.block * self.rounds

    def __iter__(self) -> Iterator[Batch]:
        bare = self.loop = self.start()
        for number in range(self.rounds):
            if number == self.warmup and self.watches is not None:
                for watch in self.watches:
                    watch.seconds.clear()
            ready = self._fresh(number)
            start = self._now()
            yield from ready
            middle = self._now()
            ready = self._fresh(number)
            between = self._now()
            for batch in ready:
                bare.step(batch)
            end = self._now()
            if number >= self.warmup:
                self.ours.append((middle - start) / self.block)
                self.bare.append((end - between) / self.block)
            if self.measures_limit and number >= self.warmup:
                self.limits.append(self._timed(bare.teach) + self._timed(bare.learn))
        # What follows, such as a checkpoint, is no part of a step.
        self.parts = [dict(watch.seconds) for watch in self.watches or ()]

    def _timed(self, step: Callable[[Batch], None]) -> float:
        ready = self._fresh(0)
        start = self._now()
        for batch in ready:
            step(batch)
        return (self._now() - start) / self.block

    def _fresh(self, number: int) -> list[Batch]:
        # Preprocessing writes into the samples.
        begin = number * self.block
        places = range(begin, begin + self.block)
        return [copy.deepcopy(self.batches[place % len(self.batches)]) for place in places]

    def _now(self) -> float:
        if self.device == "cuda":
            torch.cuda.synchronize()
        return self.clock()


@dataclass
class Outcome:
    """What one pair with one method gave."""

    name: str
    ours: list[float]
    bare: list[float]
    difference: float
    images: int
    limits: list[float] = field(default_factory=list)
    memory: float = 0.0
    parts: dict[str, tuple[float, float]] = field(default_factory=dict)

    def row(self) -> str:
        """A line of the table."""
        ratios = [own / bare for own, bare in zip(self.ours, self.bare, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        own, bare = (1e3 * statistics.median(times) for times in (self.ours, self.bare))
        extra = statistics.median(
            1e3 * (own - bare) for own, bare in zip(self.ours, self.bare, strict=True)
        )
        limit = f"{1e3 * statistics.median(self.limits):.2f}" if self.limits else "-"
        memory = f"{self.memory:.2f}" if self.memory else "-"
        return (
            f"| {self.name} | {own:.2f} | {bare:.2f} | {extra:+.2f} | {middle:.3f} "
            f"({low:.3f} to {high:.3f}) | {self.difference:.1e} | {limit} "
            f"| {1e3 * self.images / own:.0f} | {memory} |"
        )


def measure(name: str, method: str, args: argparse.Namespace) -> Outcome:
    """Train a pair in both ways; time them, and compare their losses."""
    pair = copy.deepcopy(PAIRS[name])
    pair.size, pair.batch_size = args.size or pair.size, args.batch_size or pair.batch_size
    pair.block = args.block or pair.block
    loader = Interleaved(_batches(pair, args), pair, args)
    if args.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    with tempfile.TemporaryDirectory() as folder:
        runner = _runner(pair, METHODS[method], loader, folder, args)
        own_losses: list[Tensor] = []
        _note_losses(runner, own_losses)
        loader.start = lambda: _begin(runner, pair, METHODS[method], loader, args)
        runner.train()
        runner.close()
    # With --limit the bare loop's student learns from labels alone after its first counted block.
    alike = (args.warmup + 1) * pair.block if args.limit else args.compare
    count = min(args.compare, len(own_losses), alike)
    own, bare = (torch.stack(kept[:count]) for kept in (own_losses, loader.loop.losses))
    difference = float(((own - bare).abs() / bare.abs()).max())
    return Outcome(
        f"{name}, {method}",
        loader.ours,
        loader.bare,
        difference,
        pair.batch_size,
        loader.limits,
        torch.cuda.max_memory_allocated() / 1e9 if args.device == "cuda" else 0.0,
        _parts(loader),
    )


def _runner(
    pair: Pair, method: Method, loader: Interleaved, folder: str, args: argparse.Namespace
) -> DistillRunner:
    cfg = read_config(RUNTIME)
    optimizer = {**SGD, "fused": True} if args.lean else SGD
    wrapper = dict(type="OptimWrapper", optimizer=optimizer)
    cfg.merge_from_dict(
        dict(
            work_dir=folder,
            console_log_level="ERROR",
            launcher="none",
            compile=dict(backend=args.backend) if args.compile else False,
            cuda_graph=args.cuda_graph,
            default_hooks=dict(logger=dict(interval=pair.block), run_summary=None),
            optim_wrapper=amp_wrapper(wrapper) if args.amp else wrapper,
            # By step, as in real schedules; so flat that both loops keep the same rate.
            param_scheduler=[dict(type="ConstantLR", factor=1.0, by_epoch=False)],
            train_cfg=dict(by_epoch=True, max_epochs=1),
        )
    )
    columns = [[127.0] * pair.channels, [64.0] * pair.channels]
    distiller = MODELS.build(
        dict(
            type="Distiller",
            student=pair.student,
            teacher=dict(
                network=pair.teacher,
                weights="random",
                **({} if args.fast_teacher else dict(fold_batch_norm=False, channels_last=False)),
            ),
            direct_cross_entropy=args.lean,
            losses=dict(ce=dict(type="TaskLoss", weight=0.1), **method.losses),
            input_shape=(pair.channels, pair.size, pair.size),
            data_preprocessor=dict(mean=columns[0], std=columns[1], to_rgb=pair.channels == 3),
        )
    )
    return DistillRunner.from_parts(cfg, distiller, {"train_dataloader": loader})


def _begin(
    runner: DistillRunner,
    pair: Pair,
    method: Method,
    loader: Interleaved,
    args: argparse.Namespace,
) -> BareLoop:
    bare = BareLoop(runner.model, pair, method, args)
    if args.profile:
        loader.watches = (_watch_ours(runner, loader.clock), _watch_bare(bare, loader.clock))
    return bare


def _watch_ours(runner: DistillRunner, clock: Callable[[], float]) -> Stopwatch:
    watch, distiller = Stopwatch(clock), runner.model
    watch.watch(runner, "call_hook", "hooks and log")
    watch.watch(distiller, "train_step", "step, autocast, sum of losses")
    watch.watch(distiller.data_preprocessor, "forward", "preprocessing")
    watch.watch(distiller, "loss", "signals")
    watch.watch(distiller.student, "forward", "student's forward")
    watch.watch(distiller.teachers[0].network, "forward", "teacher's forward")
    for loss in distiller.losses.values():
        watch.watch(loss, "forward", "losses")
    watch.watch(runner.optim_wrapper, "update_params", "backward and optimizer")
    return watch


def _watch_bare(bare: BareLoop, clock: Callable[[], float]) -> Stopwatch:
    watch = Stopwatch(clock)
    watch.watch(bare, "normalized", "preprocessing")
    watch.watch(bare.student, "forward", "student's forward")
    watch.watch(bare.teacher, "forward", "teacher's forward")
    watch.watch(bare, "loss", "losses")
    watch.watch(bare, "update", "backward and optimizer")
    return watch


def _parts(loader: Interleaved) -> dict[str, tuple[float, float]]:
    if not loader.parts:
        return {}
    steps = len(loader.ours) * loader.block
    own, bare = loader.parts
    return {
        part: (1e3 * own.get(part, 0.0) / steps, 1e3 * bare.get(part, 0.0) / steps)
        for part in {**own, **bare}
    }


def _note_losses(runner: DistillRunner, kept: list[Tensor]) -> None:
    parse = runner.model.parse_losses

    def noting(losses: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        loss, values = parse(losses)
        kept.append(loss.detach())
        return loss, values

    runner.model.parse_losses = noting


def _twin(config: dict[str, Any], network: nn.Module) -> nn.Module:
    # Built anew: a deep copy would carry the recorder's hooks.
    twin = MODELS.build(copy.deepcopy(config))
    twin.load_state_dict(network.state_dict())
    return twin


def _batches(pair: Pair, args: argparse.Namespace) -> list[Batch]:
    generator = torch.Generator().manual_seed(0)
    shape = (pair.channels, pair.size, pair.size)
    collate = {"stack": default_collate, "list": pseudo_collate}[args.collate]

    def batch() -> Batch:
        labels = torch.randint(CLASSES, (pair.batch_size,), generator=generator)
        return collate(
            [
                dict(
                    inputs=torch.randint(256, shape, dtype=torch.uint8, generator=generator),
                    data_samples=DataSample().set_gt_label(int(label)),
                )
                for label in labels
            ]
        )

    made = [batch() for _ in range(4)]
    if args.device == "cuda" and args.collate == "stack":
        for one in made:
            one["inputs"] = one["inputs"].pin_memory()
    return made


def report(outcomes: list[Outcome], args: argparse.Namespace) -> str:
    """The tables, in Markdown."""
    lines = [
        f"torch {torch.__version__}, {_device_name(args.device)}, {torch.get_num_threads()} threads"
        f"{''.join(f', {mode}' for mode in _modes(args))}, "
        f"{args.clock} time; {args.blocks} pairs of blocks.",
        "",
        "| pair, method | ours (ms) | bare (ms) | difference (ms) | ratio (quartiles) "
        "| losses differ by | T + S (ms) | images/s | memory (GB) |",
        "|---|---|---|---|---|---|---|---|---|",
        *(one.row() for one in outcomes),
    ]
    for one in outcomes:
        if one.parts:
            lines += ["", f"Host time of a step, {one.name} (ms):", "", "| part | ours | bare |"]
            lines += ["|---|---|---|"]
            lines += [
                f"| {part} | {own:.3f} | {bare:.3f} |" for part, (own, bare) in one.parts.items()
            ]
    return "\n".join(lines)


def _modes(args: argparse.Namespace) -> list[str]:
    modes = {"bfloat16": args.amp, "TF32": args.tf32, "compiled": args.compile}
    modes |= {"CUDA graph": args.cuda_graph, "fast teacher": args.fast_teacher, "lean": args.lean}
    return [mode for mode, chosen in modes.items() if chosen]


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else "CPU"


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--pairs", nargs="+", choices=PAIRS, default=["tiny", "small", "medium"])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--blocks", type=int, default=20, help="pairs of blocks that count")
    parser.add_argument("--block", type=int, help="steps of a block (default: by pair)")
    parser.add_argument("--warmup", type=int, default=2, help="pairs of blocks that do not count")
    parser.add_argument("--batch-size", type=int, help="default: by pair")
    parser.add_argument("--size", type=int, help="pixels of an image's side (default: by pair)")
    parser.add_argument("--collate", choices=["stack", "list"], default="stack")
    parser.add_argument("--threads", type=int, help="of PyTorch (default: its own choice)")
    parser.add_argument(
        "--clock",
        choices=["wall", "cpu"],
        default="wall",
        help="cpu: this process's own time, for a machine where others work too; with --threads 1",
    )
    parser.add_argument("--amp", action="store_true", help="bfloat16")
    parser.add_argument("--tf32", action="store_true", help="TF32 on the GPU; else IEEE float32")
    parser.add_argument("--cuda-graph", action="store_true", help="ours from a CUDA graph")
    parser.add_argument("--fast-teacher", action="store_true", help="ours with its defaults")
    parser.add_argument(
        "--lean", action="store_true", help="ours with direct_cross_entropy and a fused SGD"
    )
    parser.add_argument("--limit", action="store_true", help="measure T + S as well")
    parser.add_argument("--compile", action="store_true", help="torch.compile the backbones")
    parser.add_argument("--backend", default="inductor", help="of torch.compile")
    parser.add_argument(
        "--compare", type=int, default=5, help="first steps whose losses must agree"
    )
    parser.add_argument("--profile", action="store_true", help="a table of parts, slower")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> list[Outcome]:
    """Measure, print, return."""
    args = parse_args(argv)
    init_default_scope("cls_kd")
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    if args.cuda_graph:  # of captured steps the losses are read elsewhere
        args.compare = min(args.compare, WARM_UP)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = args.tf32
    outcomes = [measure(pair, method, args) for pair in args.pairs for method in args.methods]
    print(report(outcomes, args))
    return outcomes


if __name__ == "__main__":
    main()
