"""MMEngine's runner, with checkpoints that cannot break and cannot run code."""

from __future__ import annotations

import inspect
import itertools
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import broadcast, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.model import MMDistributedDataParallel, is_model_wrapper
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from cls_kd.digests import rename_with_digest
from cls_kd.distillers.checkpoints import read_checkpoint, weights_in
from cls_kd.distillers.weights import check_match
from cls_kd.engine.capture_check import obstacles
from cls_kd.engine.captured_step import CapturedStep
from cls_kd.engine.compat import keep_freed_memory, without_code
from cls_kd.engine.epoch_loop import ResumableEpochLoop
from cls_kd.engine.hook_list import acts, complete_hooks
from cls_kd.engine.loaders import build_dataloader
from cls_kd.engine.loops import loop_class
from cls_kd.engine.schedule import play, restart_schedule
from cls_kd.engine.terminal import TerminalFilter
from cls_kd.files import unwritable
from cls_kd.registry import RUNNERS


@RUNNERS.register_module()
class DistillRunner(Runner):
    """MMEngine's runner, with other checkpoints, DDP without a GPU, and compiled networks.

    Checkpoints are written whole or not at all, read without running code, and must match.
    ``compile=True`` compiles the networks, not the whole step.
    """

    _counter = itertools.count()
    _meta: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, *args: Any, **options: Any) -> None:
        # By stage, for its hooks; a list that a hook was added to is made anew.
        self._acting: dict[str, list[Hook]] = {}
        super().__init__(*args, **options)

    @classmethod
    def from_parts(
        cls, cfg: Config, model: nn.Module, loaders: dict[str, DataLoader]
    ) -> DistillRunner:
        """As ``from_cfg``, with the model and the data loaders already built."""
        kept = {name: cfg[name] for name in inspect.signature(Runner).parameters if name in cfg}
        # Several runs in one process, and within one second, must not share logger and history.
        name = f"{Path(cfg.work_dir).name}_{next(cls._counter)}"
        defaults = {"env_cfg": {"dist_cfg": {"backend": "nccl"}}, "experiment_name": name}
        return cls(**{**defaults, **kept, **loaders, "model": model, "cfg": cfg})

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader | dict[str, Any],
        seed: int | None = None,
        diff_rank_seed: bool = False,
    ) -> DataLoader:
        """See ``cls_kd.engine.loaders.build_dataloader``."""
        return build_dataloader(dataloader, seed, diff_rank_seed)

    def setup_env(self, env_cfg: dict[str, Any]) -> None:
        """As MMEngine's; on the CPU, memory of one step is kept for the next."""
        super().setup_env(env_cfg)
        if not torch.cuda.is_available():
            keep_freed_memory()

    def register_default_hooks(self, hooks: dict[str, Any] | None = None) -> None:
        """MMEngine's and this project's, as the config changes them (``complete_hooks``)."""
        for hook in complete_hooks(hooks).values():
            self.register_hook(hook)

    def register_hook(self, hook: Any, priority: Any = None) -> None:
        """As MMEngine's."""
        super().register_hook(hook, priority)
        self._acting.clear()

    def call_hook(self, fn_name: str, **kwargs: Any) -> None:
        """As MMEngine's; of each hook only the methods that do something are called."""
        if fn_name not in self._acting:
            self._acting[fn_name] = [hook for hook in self.hooks if acts(hook, fn_name)]
        for hook in self._acting[fn_name]:
            try:
                getattr(hook, fn_name)(self, **kwargs)
            except TypeError as error:
                raise TypeError(f"{error} in {hook}") from None

    def close(self) -> None:
        """Close the log files; several runs may share one process."""
        for handler in list(self.logger.handlers):
            handler.close()
            if isinstance(handler, logging.FileHandler):
                # MMEngine writes to the file of any such handler, whether it is open or not.
                self.logger.removeHandler(handler)
        self.visualizer.close()

    def build_logger(self, log_level: int | str = "INFO", **options: Any) -> MMLogger:
        """As MMEngine's; the terminal shows less of it.

        ``console_log_level`` of the config quietens the terminal only. What comes before the first
        epoch is summarized there, see ``RunSummaryHook``.
        """
        logger = super().build_logger(log_level, **options)
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler:
                handler.addFilter(TerminalFilter())
                if "console_log_level" in self.cfg:
                    handler.setLevel(self.cfg.console_log_level)
        return logger

    def build_train_loop(self, loop: BaseLoop | dict[str, Any]) -> BaseLoop:
        """As MMEngine's; a loop over epochs can go on inside of one."""
        if isinstance(loop, dict) and loop_class(loop) is EpochBasedTrainLoop:
            options = {key: value for key, value in loop.items() if key != "by_epoch"}
            loop = {**options, "type": ResumableEpochLoop}
        return super().build_train_loop(loop)

    def wrap_model(self, model_wrapper_cfg: dict[str, Any] | None, model: nn.Module) -> nn.Module:
        """As MMEngine's; on the CPU DDP takes no device list."""
        if not self.distributed or torch.cuda.is_available() or model_wrapper_cfg is not None:
            return super().wrap_model(model_wrapper_cfg, model)
        return MMDistributedDataParallel(
            model, broadcast_buffers=False, find_unused_parameters=False
        )

    def load_checkpoint(
        self,
        filename: str,
        map_location: Any = "cpu",
        strict: bool = True,
        revise_keys: Any = (),
    ) -> dict[str, Any]:
        """Read a checkpoint of a distiller; only weights and logs, and every key must match."""
        checkpoint = without_code(read_checkpoint(filename, map_location))
        self.call_hook("after_load_checkpoint", checkpoint=checkpoint)
        model = self.model.module if is_model_wrapper(self.model) else self.model
        weights = weights_in(checkpoint, filename)
        check_match(model, model.state_dict(), weights, filename)
        model.load_state_dict(weights, strict=True)
        self._has_loaded = True
        self._meta = checkpoint.get("meta", {})
        self.logger.info(f"Loaded {filename}")
        return checkpoint

    def resume(self, *args: Any, **options: Any) -> None:
        """As MMEngine's; where the length has changed, schedules follow the new one.

        ``check_extension`` has shown that so far they are the same.
        """
        super().resume(*args, **options)
        if self._meta.get("position") and isinstance(self.train_loop, ResumableEpochLoop):
            self.train_loop.go_on_inside(self._meta["position"])
        if self._meta.get("processes", get_world_size()) != get_world_size():
            self._follow_processes()
        key = "max_iters" if isinstance(self.train_loop, IterBasedTrainLoop) else "max_epochs"
        length, planned = getattr(self, key), self.message_hub.runtime_info.get(key)
        if planned in (None, length) or not self.cfg.get("param_scheduler"):
            return
        epoch_length = len(self.train_dataloader)
        self.logger.info(f"{key} was {planned} and is {length} now.")
        self._restart_schedule(length, epoch_length)

    def _follow_processes(self) -> None:
        """Count steps as the present number of processes makes them; schedules follow."""
        loop = self.train_loop
        if not isinstance(loop, ResumableEpochLoop):
            return
        self.logger.info(f"{self._meta['processes']} processes have become {get_world_size()}.")
        loop.count_again()
        if self.cfg.get("param_scheduler"):
            self._restart_schedule(loop.max_epochs, len(self.train_dataloader))

    def _restart_schedule(self, length: int, epoch_length: int) -> None:
        schedulers = restart_schedule(
            self.cfg, self.optim_wrapper, length=length, epoch_length=epoch_length
        )
        self.param_schedulers = schedulers
        play(
            schedulers,
            self.optim_wrapper,
            iterations=self.iter,
            epoch_length=epoch_length,
        )

    def test_checkpoint(self) -> dict[str, Any] | None:
        """Metrics on the test data of the weights in the last checkpoint; None without test data.

        Hooks such as ``EMAHook`` change what a checkpoint holds: testing it, and not the model in
        memory, makes the figure that of the network that everybody loads.
        """
        if self.test_loop is None:
            return None
        model = self.model.module if is_model_wrapper(self.model) else self.model
        name = Path(self.message_hub.runtime_info.get("last_ckpt") or "").name
        if name and is_main_process():
            path = str(Path(self.work_dir, name))
            model.load_state_dict(weights_in(read_checkpoint(path), path))
        # Other machines need not see the file.
        for weight in model.state_dict().values():
            broadcast(weight)
        return self.test()

    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, **options: Any) -> None:
        """Write under a temporary name, then rename: a reader sees all of it or none."""
        temporary = f".{filename}.tmp"
        options["meta"] = {"processes": get_world_size(), **(options.get("meta") or {})}
        written = Path(out_dir, temporary)
        try:
            super().save_checkpoint(out_dir, temporary, *args, **options)
            if is_main_process():
                with written.open("rb") as file:
                    os.fsync(file.fileno())
                rename_with_digest(written, Path(out_dir, filename))
        except (OSError, RuntimeError) as error:
            written.unlink(missing_ok=True)
            raise unwritable(Path(out_dir, filename), error) from error

    def _maybe_compile(self, target: str) -> None:
        self._maybe_capture()
        options = self.cfg.get("compile", False)
        if not options:
            return
        model = self.model.module if is_model_wrapper(self.model) else self.model
        model.compile_networks(**(options if isinstance(options, dict) else {}))
        self.logger.info("The networks are compiled at their first steps, which takes a while.")

    def _maybe_capture(self) -> None:
        """Let training steps come from a CUDA graph, or say what cannot be captured."""
        if not self.cfg.get("cuda_graph", False):
            return
        model = self.model.module if is_model_wrapper(self.model) else self.model
        device = next(model.student.parameters()).device.type
        parts = obstacles(
            model, self.optim_wrapper, self.cfg, device=device, processes=self.world_size
        )
        if parts:
            self.logger.warning(f"No CUDA graph: it cannot capture {', '.join(parts)}.")
            return
        model.captured_step = CapturedStep(model, self.optim_wrapper, say=self.logger.warning)
        self.logger.info("Training steps come from a CUDA graph after the first ones.")
