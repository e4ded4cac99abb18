"""Training one run, from config to result. What can be refused is, before a file is written."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import barrier, is_main_process
from mmengine.hooks import Hook
from mmengine.optim import build_optim_wrapper
from mmengine.runner import IterBasedTrainLoop, set_random_seed
from torch.utils.data import DataLoader

from cls_kd.distillers import Distiller
from cls_kd.engine import compat
from cls_kd.engine.check_parts import check_parts
from cls_kd.engine.elastic import keep_global_batch
from cls_kd.engine.environment import environment
from cls_kd.engine.events import (
    EpochFinished,
    EventConsumer,
    RunEvent,
    RunFailed,
    RunFinished,
    RunStarted,
    ValidationFinished,
)
from cls_kd.engine.extension import check_extension
from cls_kd.engine.hook_list import check_hooks
from cls_kd.engine.hooks.history import finished, history
from cls_kd.engine.hooks.store import StoreHook
from cls_kd.engine.hooks.teacher import unwrapped
from cls_kd.engine.loaders import (
    build_loader,
    class_names,
    image_shape,
    innermost,
    unreadable_images,
)
from cls_kd.engine.loops import check_loop
from cls_kd.engine.preemption import STOP_REQUEST
from cls_kd.engine.resume import check_resumable, intact_checkpoint
from cls_kd.engine.run_lock import RunLock
from cls_kd.engine.run_summary import parameter_count
from cls_kd.engine.runner import DistillRunner
from cls_kd.engine.surroundings import Alone, LoaderBuilder, Surroundings
from cls_kd.engine.teacher_stores import (
    plan_stores,
    prepare_stores,
    stored_teachers,
    with_seeded_samples,
)
from cls_kd.engine.visual_backends import check_backends
from cls_kd.errors import UserError, did_you_mean
from cls_kd.files import full_disk_explained
from cls_kd.registry import MODELS, OPTIMIZERS, known_names
from cls_kd.runs import Run, mark_finished, mark_started


class EventHook(Hook):
    """Reports each epoch, or validation interval in iterations, and each validation as an event.

    Args:
        run: The run that is trained.
        on_event: Called with ``EpochFinished`` and ``ValidationFinished``.
    """

    def __init__(self, run: Run, on_event: EventConsumer) -> None:
        self._run = run
        self._on_event = on_event

    def after_train_iter(self, runner: DistillRunner, *_: Any, **__: Any) -> None:
        """Report, where iterations are counted."""
        loop, done = runner.train_loop, runner.iter + 1
        if isinstance(loop, IterBasedTrainLoop) and (
            done % loop.val_interval == 0 or done == loop.max_iters
        ):
            self._report(-(-done // loop.val_interval))

    def after_train_epoch(self, runner: DistillRunner) -> None:
        """Report, where epochs are counted."""
        if not isinstance(runner.train_loop, IterBasedTrainLoop):
            self._report(runner.epoch + 1)

    def after_val_epoch(
        self, runner: DistillRunner, metrics: dict[str, float] | None = None
    ) -> None:
        """Report the metrics."""
        numbers = {name: float(value) for name, value in (metrics or {}).items()}
        _, done = finished(runner)
        self._on_event(ValidationFinished.of(self._run, finished=done, metrics=numbers))

    def _report(self, finished_epochs: int) -> None:
        self._on_event(EpochFinished.of(self._run, finished=finished_epochs))


def train(
    run: Run,
    *,
    resume: str | bool = False,
    launcher: str = "none",
    on_event: EventConsumer | None = None,
    surroundings: Surroundings | None = None,
) -> dict[str, Any]:
    """Train one run and write its result. Its folder is locked meanwhile.

    Args:
        run: What to train.
        resume: True for the run's last checkpoint, if there is one; or the path of a checkpoint.
        launcher: ``none``, ``pytorch`` or ``slurm``.
        on_event: Called with the run's events (``cls_kd.engine.events``), in the main process of a
            distributed training. Default: none.
        surroundings: Where the run is trained. Default: alone.

    Returns:
        What stands in ``result.json``.

    Raises:
        UserError: The config, the data or the weights do not fit together, or another process
            trains this run.
        DivergedError: A loss is no longer finite.
    """
    send = on_event if on_event is not None and is_main_process() else _ignore
    send(RunStarted.of(run))
    try:
        lock = RunLock(run)
        try:
            with STOP_REQUEST.noticed(), full_disk_explained(run.work_dir):
                result = _train(run, lock, resume, launcher, send, surroundings or Alone())
        finally:
            lock.release()
    except BaseException as error:
        send(RunFailed.of(run, error=f"{type(error).__name__}: {error}"))
        raise
    send(RunFinished.of(run, result=result))
    return result


def _ignore(event: RunEvent) -> None:
    """No consumer."""


def _train(
    run: Run,
    lock: RunLock,
    resume: str | bool,
    launcher: str,
    on_event: EventConsumer,
    surroundings: Surroundings,
) -> dict[str, Any]:
    cfg = run.resolved()
    cfg.launcher = launcher
    keep_global_batch(cfg)
    runner = build_runner(
        cfg,
        resume_from=_checkpoint_to_resume(run, resume),
        before_writing=lambda: _begin(run, lock, bool(resume)),
        surroundings=surroundings,
    )
    runner.register_hook(EventHook(run, on_event))
    try:
        runner.train()
        test = runner.test_checkpoint()
        result = {**_facts(runner), "test": test, "wall_seconds": surroundings.seconds()}
        if is_main_process():
            mark_finished(run, result)
        barrier()
    finally:
        runner.close()
    return result


def build_runner(
    cfg: Config,
    *,
    resume_from: str | None = None,
    before_writing: Callable[[], None] = lambda: None,
    surroundings: Surroundings | None = None,
) -> DistillRunner:
    """Data, then networks, then the runner: the runner writes files, so it comes last.

    Args:
        cfg: A resolved config of one run.
        resume_from: The checkpoint that training goes on from.
        before_writing: Called when all else is built.
        surroundings: See ``train``.

    Raises:
        UserError: Something does not fit.
    """
    cfg = copy.deepcopy(cfg)
    surroundings = surroundings or Alone()
    model, loaders, optimizer = build_parts(cfg, surroundings.build_loader)
    if resume_from is not None:
        checkpoint = check_resumable(model, optimizer, resume_from)
        epoch_length = len(loaders["train_dataloader"])
        check_extension(cfg, optimizer, model.terms, checkpoint, epoch_length)
    surroundings.enter(cfg, model)
    prepare_stores(cfg, model, loaders["train_dataloader"].dataset)
    before_writing()
    runner = DistillRunner.from_parts(cfg, model, loaders)
    if stored_teachers(model):
        runner.register_hook(StoreHook())
    surroundings.prepare(runner)
    if resume_from is not None:
        compat.resume_from(runner, resume_from)
    return runner


def build_parts(
    cfg: Config, load: LoaderBuilder = build_loader
) -> tuple[Distiller, dict[str, DataLoader], Any]:
    """The distiller, the data loaders and, for a check only, the optimizer of a resolved config.

    Args:
        cfg: A resolved config of one run.
        load: Builds its loaders.

    Raises:
        UserError: Something does not fit.
    """
    compat.prepare_process(cfg.get("default_scope", "cls_kd"))
    check_complete(cfg)
    check_loop(cfg)
    check_hooks(cfg)
    check_backends(cfg)
    if "cpu_threads" in cfg:
        torch.set_num_threads(cfg.cpu_threads)
    set_random_seed(cfg.randomness.seed, cfg.randomness.get("deterministic", False))
    keys = ("train_dataloader", "val_dataloader", "test_dataloader")
    replayed = with_seeded_samples(cfg)
    loaders = {key: load(replayed, key) for key in keys if cfg.get(key)}
    model = build_distiller(cfg, loaders["train_dataloader"])
    plan_stores(cfg, model, loaders["train_dataloader"])
    check_parts(cfg, model, loaders)
    # The runner builds its own, once files are written.
    return model, loaders, build_optimizer(model, cfg.optim_wrapper)


def build_distiller(cfg: Config, loader: DataLoader) -> Distiller:
    """The distiller of a config, sized by the training data.

    Raises:
        UserError: See ``Distiller``.
    """
    model = dict(cfg.model)
    model.setdefault("data_preprocessor", cfg.get("data_preprocessor"))
    model.setdefault("num_samples", len(innermost(loader.dataset)))
    model.setdefault("classes", class_names(loader.dataset))
    if "input_shape" not in model:
        model["input_shape"] = image_shape(loader.dataset)
    return MODELS.build(model)


def build_optimizer(model: Distiller, config: Mapping[str, Any]) -> Any:
    """The optimizer wrapper of a config.

    Raises:
        UserError: There is no such optimizer, or it does not take what the config gives it.
    """
    kind = config.get("optimizer", {}).get("type")
    if isinstance(kind, str) and "." not in kind and OPTIMIZERS.get(kind) is None:
        hint = did_you_mean(kind, known_names(OPTIMIZERS), every=False)
        raise UserError(f"optim_wrapper: there is no optimizer {kind!r}.{hint}")
    try:
        return build_optim_wrapper(model, config)
    except NotImplementedError as error:
        raise UserError(
            "optim_wrapper: layer-wise decay needs a student that knows the depth of its layers, "
            "as mmpretrain's ViT, DeiT, BEiT, Swin, ConvNeXt, ResNet-50, HiViT and MixMIM do. "
            + " ".join(map(str, error.args))
        ) from error
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        missing = (
            "it lacks " if isinstance(error, KeyError) and " " not in str(error.args[0]) else ""
        )
        raise UserError(f"optim_wrapper cannot be built: {missing}{error.args[0]}") from error


def check_complete(cfg: Config) -> None:
    """Refuse a config that lacks a section, or a training loop of a length that makes no sense.

    Raises:
        UserError: What is missing or wrong.
    """
    for section in ("model", "train_dataloader", "optim_wrapper", "train_cfg"):
        if not cfg.get(section):
            raise UserError(f"The config has no {section}.")
    for key in ("max_epochs", "max_iters", "val_interval"):
        value = cfg.train_cfg.get(key, 1)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise UserError(f"train_cfg.{key} must be a whole number above 0, not {value!r}.")


def _begin(run: Run, lock: RunLock, resume: bool) -> None:
    lock.acquire()
    if is_main_process():
        mark_started(run, resume=resume)
    barrier()


def _checkpoint_to_resume(run: Run, resume: str | bool) -> str | None:
    if isinstance(resume, str):
        return resume
    begun = (run.work_dir / "last_checkpoint").is_file()
    return intact_checkpoint(run) if resume and begun else None


def _facts(runner: DistillRunner) -> dict[str, Any]:
    distiller = unwrapped(runner)
    record = history(runner)
    unreadable = unreadable_images(runner.train_dataloader.dataset)
    return {
        **_length(runner),
        **({"unreadable_images": unreadable} if unreadable else {}),
        "method": " + ".join(distiller.losses),
        "teacher": runner.message_hub.runtime_info.get("teacher_metrics", {}),
        "train": record["train"],
        "val": record["val"],
        "checkpoint": Path(runner.message_hub.get_info("last_ckpt", "")).name,
        "parameters": parameter_count(distiller.student),
        "environment": environment(),
    }


def _length(runner: DistillRunner) -> dict[str, int]:
    """Epochs and iterations of a training, which early stopping may have cut short."""
    if not isinstance(runner.train_loop, IterBasedTrainLoop):
        return {"epochs": runner.epoch}
    passes = -(-runner.iter // len(runner.train_dataloader))
    return {"epochs": passes, "iterations": runner.iter}
