"""The parts of a run compared with each other: losses, networks and data."""

from __future__ import annotations

from collections.abc import Mapping

from mmengine.config import Config
from torch.utils.data import DataLoader

from cls_kd.data.unlabeled import is_labeled
from cls_kd.distillers import Distiller
from cls_kd.engine.loaders import check_classes, check_labels, check_pairs
from cls_kd.engine.loops import check_signals
from cls_kd.engine.multi_label import check_multi_label
from cls_kd.engine.probe_loop import check_probes
from cls_kd.engine.unlabeled import check_unlabeled


def check_parts(cfg: Config, model: Distiller, loaders: Mapping[str, DataLoader]) -> None:
    """Refuse losses and networks that the data cannot serve.

    Args:
        cfg: A resolved config of one run.
        model: Its distiller.
        loaders: Its data loaders, by the names of their sections.

    Raises:
        UserError: Something does not fit.
    """
    losses = {name: term.loss for name, term in model.terms.items()}
    asked = {signal for loss in losses.values() for signal in loss.signals}
    training = loaders["train_dataloader"].dataset
    check_signals(cfg, losses)
    check_multi_label(model.student, losses)
    check_unlabeled(training, losses)
    check_pairs(training, asked)
    probed = check_probes(cfg)
    labeled = {key: item for key, item in loaders.items() if is_labeled(item.dataset)}
    for key, loader in labeled.items():
        split = key.removesuffix("_dataloader")
        if split not in probed:  # what is probed needs no outputs for the classes
            check_labels(loader, model.num_classes, split)
    check_classes(labeled)
