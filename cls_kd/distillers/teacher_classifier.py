"""Initialization of a classifier with a teacher's."""

from __future__ import annotations

from mmengine.registry import WEIGHT_INITIALIZERS
from torch import nn

from cls_kd.adapters.internals import mark_initialized
from cls_kd.distillers.checkpoints import read_checkpoint, weights_in
from cls_kd.distillers.weights import check_match, of_student

_HEAD = "head."


@WEIGHT_INITIALIZERS.register_module()
class TeacherClassifier:
    """Fill a head of mmpretrain's with that of a checkpoint, as ``init_cfg`` of the head.

    ``init_cfg=dict(type=TeacherClassifier, checkpoint='run:teacher')``. It runs where a training
    begins; a trained network has the classifier in its own checkpoint.

    Args:
        checkpoint: Path or URL of a checkpoint of ours, of mmpretrain's, or of safetensors.

    Raises:
        UserError: The head there has other keys or shapes.
    """

    def __init__(self, checkpoint: str) -> None:
        self.checkpoint = checkpoint

    def __call__(self, head: nn.Module) -> None:
        """Fill ``head``; MMEngine's ``init_weights`` will leave its modules alone."""
        weights = of_student(weights_in(read_checkpoint(self.checkpoint), self.checkpoint))
        classifier = {
            key.removeprefix(_HEAD): value
            for key, value in weights.items()
            if key.startswith(_HEAD)
        }
        check_match(head, head.state_dict(), classifier, self.checkpoint)
        head.load_state_dict(classifier, strict=True)
        for module in head.children():
            mark_initialized(module)
