"""The terms of a run's objective and their gradients, at weights that the run had."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.runner import set_random_seed
from torch import Tensor
from torch.utils.data import DataLoader

from cls_kd.adapters.samples import SampleBatch
from cls_kd.analyses.diagnosis.measures import Moment, TermFacts, TermSize
from cls_kd.analyses.finished_runs import FinishedRun
from cls_kd.core.terms import Term
from cls_kd.distillers.checkpoints import read_checkpoint, weights_in
from cls_kd.distillers.weights import check_match
from cls_kd.engine.train import build_parts
from cls_kd.evaluation.gradients import gradient_cosines, gradient_norm, term_gradients
from cls_kd.evaluation.temperatures import normalized_entropy
from cls_kd.signals import VOCABULARY

BATCHES = 4
"""Training batches over which terms and gradients are averaged (ours)."""

BETWEEN = 3
"""Checkpoints between the first and the last that are measured at most (ours)."""


class Training:
    """A run's objective on its own training batches, at any weights that the run had.

    Args:
        run: The run.
        images: At most so many images are used, in whole batches.
    """

    def __init__(self, run: FinishedRun, images: int) -> None:
        self.run = run
        self.distiller, loaders, _ = build_parts(run.cfg)
        model: Any = self.distiller
        self._seed()
        with _quiet():
            model.init_weights()
        self.distiller.to(get_device())
        self._initial = {name: value.clone() for name, value in self.distiller.state_dict().items()}
        self._loader: DataLoader = loaders["train_dataloader"]
        self._batches = max(1, min(BATCHES, images // self._batch_size(), len(self._loader)))
        self._entropies: dict[str, list[float]] = defaultdict(list)

    def initial_weights(self) -> Mapping[str, Tensor]:
        """The state of the distiller when the run began."""
        return self._initial

    def moments(self) -> list[Moment]:
        """All terms at the first and the last weights, and at checkpoints in between."""
        moments = [self._moment("first", self._initial, 0, 0)]
        *between, last = self._checkpoints()
        for path in [*_spread(between, BETWEEN), last]:
            checkpoint = read_checkpoint(path)
            meta = checkpoint.get("meta", {})
            epoch, step = int(meta.get("epoch", 0)), int(meta.get("iter", 0))
            weights = weights_in(checkpoint, str(path))
            check_match(self.distiller, self._initial, weights, str(path))
            name = "last" if path == last else path.stem.replace("_", " ")
            moments.append(self._moment(name, weights, epoch, step))
        return moments

    def terms(self) -> dict[str, TermFacts]:
        """Facts of each term; the teacher's entropy is known after `moments`."""
        losses = self.run.cfg.model.losses
        return {
            name: self._facts(name, term, losses[name].get("weight", 1.0))
            for name, term in self.distiller.terms.items()
        }

    def _facts(self, name: str, term: Term, weight: Any) -> TermFacts:
        entropies = self._entropies[name]
        module = softened(term)
        return TermFacts(
            type(term.loss).__name__,
            term.group,
            str(weight),
            None if module is None else float(module.temperature),
            sum(entropies) / len(entropies) if entropies else None,
            any(VOCABULARY[signal].provider == "teacher" for signal in term.loss.signals),
        )

    def _checkpoints(self) -> list[Path]:
        last = Path(self.run.checkpoint or self.run.run.checkpoint())
        kind = last.stem.partition("_")[0]
        files = last.parent.glob(f"{kind}_*.pth")
        numbered = {file: _number(file) for file in files if _number(file) is not None}
        before = [file for file in numbered if file != last]
        return [*sorted(before, key=lambda file: numbered[file] or 0), last]

    def _moment(self, name: str, weights: Mapping[str, Tensor], epoch: int, step: int) -> Moment:
        self.distiller.load_state_dict(weights)
        self.distiller.train()
        self._set_time(epoch, step)
        sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        cosines: dict[str, list[float]] = defaultdict(list)
        logit_cosines: dict[str, list[float]] = defaultdict(list)
        self._seed()
        with self._observed_entropies(name == "first"):
            for data in islice(self._loader, self._batches):
                self._add_batch(data, sums, cosines, logit_cosines)
        count = self._batches
        terms = {
            term: TermSize(
                figures["value"] / count,
                float(self.distiller.terms[term].weight(self.distiller.time)),
                figures["at_parameters"] / count,
                figures["at_logits"] / count if "at_logits" in figures else None,
            )
            for term, figures in sums.items()
        }
        return Moment(name, terms, _means(cosines), _means(logit_cosines))

    def _add_batch(
        self,
        data: Any,
        sums: dict[str, dict[str, float]],
        cosines: dict[str, list[float]],
        logit_cosines: dict[str, list[float]],
    ) -> None:
        parameters = [value for value in self.distiller.student.parameters() if value.requires_grad]
        batch = self._batch(data)
        student = self.distiller.student_signals(batch)
        values = by_term(self.distiller.terms_of(batch, student))
        logits = student["student_logits"]
        gradients = term_gradients(values, [logits, *parameters])
        at_parameters = {name: gradient[1:] for name, gradient in gradients.items()}
        at_logits = {
            name: gradient[:1] for name, gradient in gradients.items() if gradient[0] is not None
        }
        for name, value in values.items():
            sums[name]["value"] += float(value.detach())
            sums[name]["at_parameters"] += gradient_norm(at_parameters[name])
            if name in at_logits:
                sums[name]["at_logits"] += gradient_norm(at_logits[name])
        for kept, gradient_sets in ((cosines, at_parameters), (logit_cosines, at_logits)):
            for (first, second), cosine in gradient_cosines(gradient_sets).items():
                kept[f"{first}, {second}"].append(cosine)

    def _batch(self, data: Any) -> SampleBatch:
        prepared = self.distiller.data_preprocessor(data, True)
        return SampleBatch(
            prepared["inputs"],
            prepared["data_samples"],
            self.distiller.num_classes,
            pairs=prepared.get("pair_inputs"),
            views=prepared.get("view_inputs"),
            mixture=prepared.get("mixture"),
            time=self.distiller.time,
        )

    @contextmanager
    def _observed_entropies(self, wanted: bool) -> Iterator[None]:
        """Note the entropy of the teacher's distribution as each loss gets it."""
        hooks = []
        for name, term in self.distiller.terms.items() if wanted else ():
            module = softened(term)
            if module is not None:
                hooks.append(module.register_forward_pre_hook(self._noting(name), with_kwargs=True))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _noting(self, name: str) -> Any:
        def note(module: Any, _: Any, signals: Mapping[str, Any]) -> None:
            teacher = signals["teacher_logits"].detach()
            self._entropies[name].append(normalized_entropy(teacher, module.temperature))

        return note

    def _seed(self) -> None:
        randomness = self.run.cfg.randomness
        set_random_seed(randomness.seed, randomness.get("deterministic", False))

    def _batch_size(self) -> int:
        sampler = self._loader.batch_sampler
        return int(getattr(sampler, "batch_size", None) or self._loader.batch_size or 1)

    def _set_time(self, epoch: int, step: int) -> None:
        loop, time = self.run.cfg.train_cfg, self.distiller.time
        time.seed = int(self.run.cfg.randomness.seed)
        time.max_epochs = int(loop.get("max_epochs", 1))
        time.max_steps = int(loop.get("max_iters") or time.max_epochs * len(self._loader))
        # The last checkpoint is written when training ends; its last step came before.
        time.epoch = min(epoch, time.max_epochs - 1)
        time.step = min(step, time.max_steps - 1)


@contextmanager
def _quiet() -> Iterator[None]:
    """MMEngine logs each parameter that it initializes; not here."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def softened(term: Term) -> Any:
    """The loss, or the loss inside it, that softens a teacher's logits by a temperature."""
    for module in term.loss.modules():
        signals = getattr(module, "signals", ())
        if "teacher_logits" in signals and hasattr(module, "temperature"):
            return module
    return None


def by_term(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Sums of the parts of each term that count in a distiller's log."""
    terms: dict[str, Tensor] = {}
    for key, value in values.items():
        name, _, part = key.partition(".")
        if "loss" in part:
            terms[name] = terms[name] + value if name in terms else value
    return terms


def _number(file: Path) -> int | None:
    digits = file.stem.rpartition("_")[2]
    return int(digits) if digits.isdigit() else None


def _spread(files: list[Path], most: int) -> list[Path]:
    """At most so many, evenly spread."""
    indices = torch.linspace(0, len(files) - 1, min(most, len(files))).round().int().tolist()
    return [files[index] for index in indices]


def _means(values: Mapping[str, list[float]]) -> dict[str, float]:
    return {name: sum(items) / len(items) for name, items in values.items()}
