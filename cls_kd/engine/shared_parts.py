"""Loaders, teachers and measurements that runs of a cohort share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from mmengine.config import Config
from torch import nn
from torch.utils.data import DataLoader

from cls_kd.distillers import Distiller
from cls_kd.distillers.shared_teacher import MemberTeacher, SharedTeacher
from cls_kd.engine.evaluate import Log, teacher_metrics
from cls_kd.engine.generators import Generators, SharedCall
from cls_kd.engine.hooks import TeacherHook
from cls_kd.engine.loaders import build_loader
from cls_kd.engine.shared_loader import SharedLoader
from cls_kd.runs.plain_config import PlainConfig
from cls_kd.signals.network import VIEWS, Indices


class SharedParts:
    """Each loader and each teacher once, by its config.

    Args:
        generators: From which loaders may draw when they are built.
    """

    def __init__(self, generators: Generators) -> None:
        self._generators = generators
        self._loaders: dict[tuple[str, str], SharedCall[SharedLoader]] = {}
        self._teachers: dict[Any, SharedTeacher] = {}
        self._metrics: dict[Any, dict[str, float]] = {}

    def loader(self, cfg: Config, key: str) -> SharedLoader:
        """The loader of a config; ``key`` is its section."""
        name = (_text(cfg[key]), _text(cfg.randomness))

        def build() -> SharedLoader:
            loader: DataLoader = build_loader(cfg, key)
            return SharedLoader(loader, self._generators)

        return self._loaders.setdefault(name, SharedCall(self._generators, build))()

    def teacher(
        self,
        cfg: Config,
        distiller: Distiller,
        index: int,
        names: Mapping[str, Indices],
        timed: Callable[[], AbstractContextManager[None]],
    ) -> Any:
        """The teacher that takes the place of a distiller's own.

        Args:
            cfg: The resolved config of the run.
            distiller: With a teacher of its own.
            index: Of the teacher.
            names: The signals that the losses ask for.
            timed: Entered while the teacher sees a batch.
        """
        teacher: Any = distiller.teachers[index]
        if getattr(teacher, "train_mode", False):
            return teacher
        configs = cfg.model.teacher
        config = configs if isinstance(configs, Mapping) else configs[index]
        # Views go through the network with the images, in a batch of another size.
        sees_views = bool(set(names) & set(VIEWS))
        key = (
            _text(config),
            teacher.digest(),
            _folded(teacher),
            sees_views,
            distiller.num_classes,
        )
        if key not in self._teachers:
            self._teachers[key] = SharedTeacher(
                teacher, distiller.classes, distiller.num_classes, timed
            )
        return MemberTeacher(self._teachers[key], names, teacher)

    def share_measurements(self, runner: Any) -> None:
        """Let the runs of a cohort measure each teacher once."""
        evaluator = _text(runner.cfg.get("val_evaluator"))

        def measure_once(
            loop: Any, distiller: Distiller, index: int = 0, log: Log | None = None
        ) -> dict[str, float]:
            shared = getattr(distiller.teachers[index], "shared", None)
            key = (id(shared), id(loop.dataloader), evaluator)
            if shared is None or key not in self._metrics:
                self._metrics[key] = teacher_metrics(loop, distiller, index, log)
            return self._metrics[key]

        for hook in runner.hooks:
            if isinstance(hook, TeacherHook):
                hook.measure = measure_once


def _folded(teacher: Any) -> tuple[str, ...]:
    """Modules whose batch norm is folded, which depends on the signals that are asked for."""
    modules = getattr(teacher, "network", nn.Module()).named_modules()
    return tuple(name for name, module in modules if getattr(module, "is_folded", False))


def _text(value: Any) -> str:
    plain = value.to_dict() if hasattr(value, "to_dict") else value
    return PlainConfig({"value": plain}).pretty_text
