"""Finished runs, and the signals of their networks over a whole data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import set_random_seed
from torch.utils.data import DataLoader, Sampler, SequentialSampler

from cls_kd.adapters.samples import SampleBatch
from cls_kd.distillers import Distiller
from cls_kd.distillers.checkpoints import read_checkpoint, weights_in
from cls_kd.distillers.weights import check_match
from cls_kd.engine.compat import prepare_process
from cls_kd.engine.loaders import build_dataloader, build_dataset, build_loader, innermost
from cls_kd.engine.train import build_distiller
from cls_kd.errors import UserError, did_you_mean
from cls_kd.registry import ANALYSES
from cls_kd.reporting.sections import Section
from cls_kd.runs import Run
from cls_kd.signals import VOCABULARY, NetworkSource, check_names
from cls_kd.signals.vocabulary import CALLABLES

Split = Literal["train", "val", "test"]
_TIME_SIGNALS = {name for name, signal in VOCABULARY.items() if signal.provider == "time"}


class FinishedRun:
    """A finished run; its networks are built at first use.

    Args:
        run: From ``plan``.
        checkpoint: Weights in place of the run's last checkpoint.
    """

    def __init__(self, run: Run, checkpoint: str | None = None) -> None:
        self.run = run
        self.name = run.name
        self.seed = run.seed
        self.checkpoint = checkpoint

    @cached_property
    def cfg(self) -> Config:
        """The run's config, references resolved."""
        return self.run.resolved()

    @cached_property
    def result(self) -> dict[str, Any]:
        """Content of its ``result.json``."""
        return self.run.result() or {}

    @cached_property
    def distiller(self) -> Distiller:
        """Student, teachers and losses with the weights of the end, in eval mode."""
        cfg = self.cfg
        prepare_process(cfg.get("default_scope", "cls_kd"))
        if "cpu_threads" in cfg:
            torch.set_num_threads(cfg.cpu_threads)
        distiller = build_distiller(cfg, build_loader(cfg, "train_dataloader"))
        source = self.checkpoint or self.run.checkpoint()
        weights = weights_in(read_checkpoint(source), source)
        check_match(distiller, distiller.state_dict(), weights, source)
        distiller.load_state_dict(weights)
        preprocessor: Any = distiller.data_preprocessor
        preprocessor.batch_augments = None  # the training split is evaluated with its own labels
        return distiller.to(get_device()).eval()

    def loader(self, split: Split, images: int | None = None) -> DataLoader:
        """Loader of the images of a split, each once, in order; the same ones in each process.

        Args:
            split: The split.
            images: At most so many, drawn by the run's seed. Default: the whole split.

        Raises:
            UserError: The config has no such split.
        """
        key = f"{split}_dataloader"
        if not self.cfg.get(key):
            raise UserError(f"The run {self.run.title} has no {key}.")
        set_random_seed(self.seed)  # the training split may be augmented
        dataset = innermost(build_dataset(self.cfg[key]["dataset"]))
        config = {name: value for name, value in self.cfg[key].items() if name != "batch_sampler"}
        config |= {"dataset": dataset, "sampler": self._sampler(dataset, images)}
        config["drop_last"] = False
        return build_dataloader(config, seed=self.seed)

    def _sampler(self, dataset: Any, images: int | None) -> Sampler[int]:
        if images is None or images >= len(dataset):
            return SequentialSampler(dataset)
        generator = torch.Generator().manual_seed(self.seed)
        chosen = torch.randperm(len(dataset), generator=generator)[:images]
        return _FixedSampler(chosen.sort().values.tolist())

    def signals(
        self, split: Split, names: Sequence[str], *, teacher_of: FinishedRun | None = None
    ) -> dict[str, Any]:
        """Signals of the whole split, on the CPU, in the order of the data set.

        Args:
            split: The split; the training split comes with the config's augmentation, except mixed
                images or labels.
            names: Tensor signals of the vocabulary: of the batch, the student or a teacher.
            teacher_of: The run whose first teacher is asked, about the images of this run. Default:
                this run.

        Returns:
            By name: a tensor, or a tuple of tensors, with N the images of the split.

        Raises:
            UserError: See `batches`.
        """
        gathered: dict[str, list[Any]] = {name: [] for name in names}
        for seen in self.batches(split, names, teacher_of=teacher_of):
            for name in names:
                gathered[name].append(seen[name])
        return {name: _joined(name, values) for name, values in gathered.items()}

    @torch.no_grad()
    def batches(
        self,
        split: Split,
        names: Sequence[str],
        *,
        teacher_of: FinishedRun | None = None,
        images: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Signals of a split batch by batch, on the device, for what is too large to be kept.

        Args:
            split: See `signals`.
            names: See `signals`.
            teacher_of: See `signals`.
            images: See `loader`.

        Yields:
            The signals of a batch, by name.

        Raises:
            UserError: There is no such signal, or no teacher, or none that sees such images.
        """
        check_names(names, "The analysis")
        for name in names:
            if name in CALLABLES or name.startswith("pair_") or name in _TIME_SIGNALS:
                raise UserError(f"{name!r} is known in a training step only, not to an analysis.")
        distiller = self.distiller
        teacher_run = teacher_of or self
        wants_teacher = any(VOCABULARY[name].provider == "teacher" for name in names)
        if wants_teacher and not teacher_run.distiller.teachers:
            raise UserError(
                f"The run {teacher_run.run.title} has no teacher, which the analysis needs."
            )
        if wants_teacher and _normalization(teacher_run.cfg) != _normalization(self.cfg):
            raise UserError(
                f"The teacher of {teacher_run.run.title} cannot be asked about the images of "
                f"{self.run.title}: these runs normalize images differently."
            )
        student = NetworkSource(
            "student", distiller.student, names, self.cfg.model.get("student_taps")
        )
        loader = self.loader(split, images)
        first = True
        # An augmentation that follows the training time is that of the first epoch.
        distiller.time.seed = self.seed
        for data in loader:
            data = distiller.data_preprocessor(data, split == "train")
            inputs = data["inputs"]
            batch = SampleBatch(inputs, data["data_samples"], distiller.num_classes)
            if first:  # the dry run finds the tensors that a later operation overwrites
                student.measure(inputs[:1])
            seen = student.run(inputs)
            if wants_teacher:
                teacher = teacher_run.distiller.teachers[0]
                if first:
                    teacher_source = NetworkSource("teacher", teacher.network, names, teacher.taps)
                    teacher_source.measure(teacher.normalize_inputs(inputs[:1]))
                seen.update(teacher.run(teacher_source, inputs))
            for name in names:
                if VOCABULARY[name].provider not in ("student", "teacher"):
                    seen[name] = getattr(batch, name)
            yield seen
            first = False


class _FixedSampler(Sampler[int]):
    """These places of a data set, in this order."""

    def __init__(self, places: Sequence[int]) -> None:
        self.places = places

    def __iter__(self) -> Iterator[int]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def finished_runs(
    runs: Sequence[Run], names: Iterable[str] | None = None, checkpoint: str | None = None
) -> list[FinishedRun]:
    """The finished runs of these names.

    Args:
        runs: From ``plan``.
        names: Default: all.
        checkpoint: See `FinishedRun`; only for one run.

    Raises:
        UserError: There is no run of that name, or it is not finished.
    """
    chosen = list(runs)
    if names is not None:
        known = {run.name for run in runs}
        for name in names:
            if name not in known:
                raise UserError(f"There is no run {name!r}.{did_you_mean(name, known)}")
        chosen = [run for name in names for run in runs if run.name == name]
    if checkpoint is not None and len(chosen) != 1:
        raise UserError(f"A checkpoint is of one run, and {len(chosen)} were chosen: name it.")
    for run in chosen:
        if checkpoint is None and run.result() is None:
            raise UserError(f"The run {run.title} is not finished: train it first.")
    return [FinishedRun(run, checkpoint) for run in chosen]


def analyze(
    config: Mapping[str, Any], runs: Sequence[Run], checkpoint: str | None = None
) -> Section:
    """Run one analysis.

    Args:
        config: ``type`` (its name), ``runs`` (names; default: all) and its options.
        runs: From ``plan``.
        checkpoint: See `FinishedRun`.

    Raises:
        UserError: There is no such analysis, or it does not take these options or runs.
    """
    options = dict(config)
    kind, names = options.pop("type"), options.pop("runs", None)
    analysis = ANALYSES.get(kind)
    if analysis is None:
        raise UserError(f"There is no analysis {kind!r}.{did_you_mean(kind, ANALYSES.module_dict)}")
    return analysis(finished_runs(runs, names, checkpoint), **options)


def _normalization(cfg: Config) -> list[Any]:
    options = cfg.model.get("data_preprocessor") or cfg.get("data_preprocessor") or {}
    return [options.get(key) for key in ("mean", "std", "to_rgb")]


def _joined(name: str, values: list[Any]) -> Any:
    if isinstance(values[0], tuple):
        return tuple(_joined(name, list(items)) for items in zip(*values, strict=True))
    axis = VOCABULARY[name].batch_axis
    if axis is None:  # a property of the network, the same for every batch
        return values[-1].detach().cpu()
    return torch.cat(values, dim=axis).cpu()
