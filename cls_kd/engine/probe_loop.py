"""Validation of a student without a trained classifier: probes of its embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dist import broadcast_object_list, collect_results
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner, TestLoop, ValLoop
from torch import Tensor
from torch.utils.data import DataLoader

from cls_kd.adapters.samples import labels_of
from cls_kd.data.unlabeled import is_labeled
from cls_kd.engine.loaders import build_dataloader, build_loader
from cls_kd.errors import UserError
from cls_kd.evaluation.probes import Probe
from cls_kd.registry import LOOPS, METRICS, resolve
from cls_kd.signals.network import NetworkSource

Embed = Callable[[Tensor], Tensor]
"""Images as the student sees them, (N, 3, H, W), to embeddings (N, D)."""


class ProbedData:
    """Labeled images that probes are fitted to, and others that they are measured on.

    Args:
        model: Its preprocessor prepares the images.
        labeled: The loader of the first.
        others: The loader of the second.
        probes: What is measured.
    """

    def __init__(
        self, model: Any, labeled: DataLoader, others: DataLoader, probes: Sequence[Probe]
    ) -> None:
        self.model = model.module if is_model_wrapper(model) else model
        self.labeled = labeled
        self.others = others
        self.probes = probes
        self._source: NetworkSource | None = None

    def of_student(self) -> dict[str, float]:
        """Metrics of the student's embedding."""
        if self._source is None:
            self._source = NetworkSource("student", self.model.student, ["student_embedding"])
        source = self._source
        return self.measure(lambda inputs: source.run(inputs)["student_embedding"])

    def of_teacher(self, index: int) -> dict[str, float]:
        """Metrics of a teacher's embedding."""
        teacher = self.model.teachers[index]
        source = NetworkSource("teacher", teacher.network, ["teacher_embedding"], teacher.taps)
        return self.measure(lambda inputs: teacher.run(source, inputs)["teacher_embedding"])

    @torch.no_grad()
    def measure(self, embed: Embed) -> dict[str, float]:
        """Metrics of embeddings, by all probes; the same in all processes."""
        parts = [*self._read(embed, self.labeled), *self._read(embed, self.others)]
        metrics: dict[str, float] = {}
        if all(part is not None for part in parts):
            for probe in self.probes:
                metrics |= probe(*parts)  # type: ignore[arg-type]
        everywhere = [metrics]
        broadcast_object_list(everywhere)
        return everywhere[0]

    def _read(self, embed: Embed, loader: DataLoader) -> list[np.ndarray | None]:
        """Embeddings and labels of a data set; None in all processes but the main one."""
        rows: list[Any] = []
        for batch in loader:
            data = self.model.data_preprocessor(batch, False)
            embeddings = embed(data["inputs"]).float().cpu().numpy()
            labels = labels_of(data["data_samples"]).cpu().numpy()
            rows += zip(embeddings, labels, strict=True)
        # In the order of the data set, without what fills the last round of several processes.
        collected = collect_results(rows, len(loader.dataset), "cpu")  # type: ignore[arg-type]
        if collected is None:
            return [None, None]
        return [
            np.stack([row for row, _ in collected]),
            np.asarray([item for _, item in collected]),
        ]


def build_probes(evaluator: Any) -> list[Probe]:
    """The probes of an evaluator's config.

    Raises:
        UserError: It is no list of probes.
    """
    if isinstance(evaluator, Mapping):
        evaluator = evaluator.get("metrics", evaluator)
    items = evaluator if isinstance(evaluator, list | tuple) else [evaluator]
    probes = [METRICS.build(item) if isinstance(item, Mapping) else item for item in items]
    others = [type(item).__name__ for item in probes if not isinstance(item, Probe)]
    if others or not probes:
        raise UserError(
            "A probing loop measures embeddings: its evaluator is a list of probes, "
            f"[dict(type=KNNProbe), dict(type=LinearProbe)], not {', '.join(others) or 'empty'}."
        )
    return probes


def check_probes(cfg: Config) -> set[str]:
    """Build what probing loops need, before anything is written.

    Args:
        cfg: Config of one run.

    Returns:
        The splits that are probed, ``'val'`` or ``'test'``.

    Raises:
        UserError: An evaluator is no list of probes, or the labeled images cannot be loaded.
    """
    probed = set()
    for split in ("val", "test"):
        loop = cfg.get(f"{split}_cfg") or {}
        kind = resolve(LOOPS, loop.get("type"))
        if not (isinstance(kind, type) and issubclass(kind, _ProbeLoop)):
            continue
        build_probes(cfg.get(f"{split}_evaluator"))
        if not isinstance(loop.get("labeled"), Mapping):
            raise UserError(f"{split}_cfg: {kind.__name__} needs labeled=LOADER, images to fit to.")
        labeled = Config({"labeled": loop["labeled"], "randomness": cfg.randomness})
        if not is_labeled(build_loader(labeled, "labeled").dataset):
            raise UserError(f"{split}_cfg: the images of `labeled` have no labels.")
        probed.add(split)
    return probed


class _ProbeLoop:
    """The common part of validation and test; see `ProbeValLoop`."""

    runner: Any
    dataloader: Any

    def _prepare(self, labeled: Mapping[str, Any], evaluator: Any) -> None:
        loader = build_dataloader(dict(labeled), seed=getattr(self.runner, "seed", None))
        self.data = ProbedData(self.runner.model, loader, self.dataloader, build_probes(evaluator))

    def _run(self, phase: str) -> dict[str, float]:
        self.runner.call_hook(f"before_{phase}")
        self.runner.call_hook(f"before_{phase}_epoch")
        self.runner.model.eval()
        metrics = self.data.of_student()
        self.runner.call_hook(f"after_{phase}_epoch", metrics=metrics)
        self.runner.call_hook(f"after_{phase}")
        return metrics


@LOOPS.register_module()
class ProbeValLoop(_ProbeLoop, ValLoop):
    """Validation by probes: embeddings of labeled images, and of the validation data.

    ``val_cfg=dict(type=ProbeValLoop, labeled=LOADER)`` with
    ``val_evaluator=[dict(type=KNNProbe), dict(type=LinearProbe)]``. The student's classifier is not
    used. The interval is that of ``train_cfg.val_interval``; the last epoch is always validated.

    Args:
        runner: MMEngine's.
        dataloader: Images that probes are measured on.
        evaluator: A list of probes (`cls_kd.evaluation.probes`).
        labeled: Config of the loader of the images that probes are fitted to.
        fp16: MMEngine's; not used.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict[str, Any],
        evaluator: Any,
        labeled: Mapping[str, Any],
        fp16: bool = False,
    ) -> None:
        ValLoop.__init__(self, runner, dataloader, [], fp16)
        self._prepare(labeled, evaluator)

    def run(self) -> dict[str, float]:
        """Metrics of the student, by all probes."""
        return self._run("val")


@LOOPS.register_module()
class ProbeTestLoop(_ProbeLoop, TestLoop):
    """The test by probes; as `ProbeValLoop`.

    Args:
        runner: MMEngine's.
        dataloader: Images that probes are measured on.
        evaluator: A list of probes.
        labeled: Config of the loader of the images that probes are fitted to.
        fp16: MMEngine's; not used.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict[str, Any],
        evaluator: Any,
        labeled: Mapping[str, Any],
        fp16: bool = False,
    ) -> None:
        TestLoop.__init__(self, runner, dataloader, [], fp16)
        self._prepare(labeled, evaluator)

    def run(self) -> dict[str, float]:
        """Metrics of the student, by all probes."""
        return self._run("test")
