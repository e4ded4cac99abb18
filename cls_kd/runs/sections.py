"""The keys of a config: what a run consists of, and what stands beside its runs."""

from __future__ import annotations

_OF_MMENGINE = (
    "auto_scale_lr",
    "custom_hooks",
    "data_preprocessor",
    "default_hooks",
    "default_scope",
    "env_cfg",
    "experiment_name",
    "load_from",
    "log_level",
    "log_processor",
    "model",
    "optim_wrapper",
    "param_scheduler",
    "randomness",
    "test_cfg",
    "test_dataloader",
    "test_evaluator",
    "train_cfg",
    "train_dataloader",
    "val_cfg",
    "val_dataloader",
    "val_evaluator",
    "visualizer",
)
"""Parameters of ``mmengine.runner.Runner`` that a config may give; importing it imports torch."""

SECTIONS = frozenset(
    {
        *_OF_MMENGINE,
        "activation_checkpointing",
        "compile",
        "efficient_conv_bn_eval",
        "find_unused_parameters",
        "model_wrapper_cfg",
        "sync_bn",
        "cpu_threads",
        "cuda_graph",
        "custom_imports",
    }
)
"""Sections that MMEngine's runner and the engine read: a run, as its digest covers it."""

NOT_OF_A_RUN = ("runs", "report", "analyses", "method", "train_data")
"""Keys of a config beside the sections of its runs."""

OF_A_RUN = ("name", "seeds", "seed_shift", "train_data")
"""Keys of an entry of ``runs`` beside sections."""

TOP_LEVEL = frozenset({*SECTIONS, *NOT_OF_A_RUN, "work_dir", "console_log_level"})
"""Every key that is read at the top level of a config."""
