"""What every run shares: hooks, logging, seed, environment."""

from mmengine.hooks import IterTimerHook, LoggerHook, ParamSchedulerHook
from mmengine.runner import LogProcessor
from mmengine.visualization import LocalVisBackend
from mmpretrain.visualization import UniversalVisualizer

from cls_kd.engine.hooks import SafeCheckpointHook

default_scope = "cls_kd"

default_hooks = dict(
    timer=dict(type=IterTimerHook),
    logger=dict(type=LoggerHook, interval=50),
    param_scheduler=dict(type=ParamSchedulerHook),
    checkpoint=dict(type=SafeCheckpointHook, interval=1, max_keep_ckpts=2),
)

env_cfg = dict(cudnn_benchmark=False, dist_cfg=dict(backend="nccl"))

# TensorBoard: vis_backends=[dict(type=LocalVisBackend), dict(type=TensorboardVisBackend)]
visualizer = dict(type=UniversalVisualizer, vis_backends=[dict(type=LocalVisBackend)])
log_processor = dict(type=LogProcessor, window_size=10, by_epoch=True)
log_level = "INFO"

randomness = dict(seed=0, deterministic=False)
