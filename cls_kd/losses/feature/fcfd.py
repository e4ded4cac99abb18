"""FCFD: function-consistent feature distillation through mixed networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.functional import softened_kl
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_not_negative, check_positive
from cls_kd.losses.search import TEMPERATURE, Range, search_over
from cls_kd.losses.stages import pair_stages
from cls_kd.modules.bridges import StageBridge
from cls_kd.signals.forward_from import Continued
from cls_kd.signals.shapes import SignalShapes

ForwardFrom = Callable[[int, Tensor], Continued]


class FCFDLoss(DistillLoss):
    r"""Match the teacher's maps, and its predictions by networks mixed of both networks' stages.

    Paper: Liu et al. 2023, arXiv:2304.11832

    .. math:: L = \alpha \sum_p T^2 \, \mathrm{KL}(z^t \| z_p)
                + \beta \min\!\Big(1, \frac{e + 1}{E}\Big) \sum_i \sum_{f \in F_i}
                  \mathrm{mean}\,(f - f^t_i)^2

    A path p runs one network up to a stage, a bridge, and the other network from there on; a few of
    all such paths are drawn in each step. F_i holds the maps that are at stage i as the teacher's:
    the student's through the bridge, and those of the teacher's stages in drawn paths. The last
    stage also compares pooled maps after a ReLU. A bridge is a 3x3 convolution, batch normalization
    and leaky ReLU; e counts epochs. The gradient passes through the frozen teacher's stages. Each
    path costs a whole pass of the network that it ends with.

    [0] D. Liu, M. Kan, S. Shan, X. Chen, "Function-Consistent Feature Distillation", ICLR 2023,
        arXiv:2304.11832.
    [1] LiuDongyang6/FCFD@2aefb7b:classification/models/meta.py and cifar/main.py; the second term
        of one stage was compared. Differences: the teacher runs in eval mode, where [1] runs it in
        training mode, so that its running statistics drift; stages are those of the networks, whose
        maps are after the ReLU; a path never ends behind the stem in [1], which is no stage here.

    Shapes:
        student_stages, teacher_stages: tuples of (N, C, h, w), equally many, at least two.
        teacher_logits: (N, K).
        epoch: int.

    Args:
        paths: Number of mixed paths in a step. Default: CIFAR-100.
        temperature: T. Default: most pairs of CIFAR-100; 1 on ImageNet.
        path_weight: alpha. Default: CIFAR-100; 0.2 for WRN-40-2 to WRN-16-2.
        appearance_weight: beta. Default: CIFAR-100; 0.02 for ResNet56 to ResNet20 and on ImageNet.
        warmup_epochs: E. Default: CIFAR-100.

    Weight:
        1, beside 1 for cross-entropy and 1 for KD at T.
    """

    search_space = search_over(
        temperature=TEMPERATURE,
        path_weight=Range(0.1, 10.0, log=True),
        appearance_weight=Range(0.5, 50.0, log=True),
    )

    def __init__(
        self,
        *,
        paths: int = 2,
        temperature: float = 4.0,
        path_weight: float = 1.0,
        appearance_weight: float = 5.0,
        warmup_epochs: int = 20,
    ) -> None:
        super().__init__()
        check_positive(self, paths=paths, temperature=temperature, warmup_epochs=warmup_epochs)
        check_not_negative(self, path_weight=path_weight, appearance_weight=appearance_weight)
        self.paths = paths
        self.temperature = temperature
        self.path_weight = path_weight
        self.appearance_weight = appearance_weight
        self.warmup_epochs = warmup_epochs
        self.to_teacher: nn.ModuleList | None = None
        self.to_student: nn.ModuleList | None = None

    def build(self, shapes: SignalShapes) -> None:
        student, teacher = shapes.tensors("student_stages"), shapes.tensors("teacher_stages")
        pairs = pair_stages(self, None, len(student), len(teacher))
        most = 2 * (len(pairs) - 1)
        if not 1 <= self.paths <= most:
            raise UserError(
                f"FCFDLoss: paths={self.paths}; {len(pairs)} stages make {most} mixed paths."
            )
        self.to_teacher = nn.ModuleList(map(StageBridge, student, teacher))
        self.to_student = nn.ModuleList(map(StageBridge, teacher[:-1], student[:-1]))

    def forward(
        self,
        student_stages: tuple[Tensor, ...],
        teacher_stages: tuple[Tensor, ...],
        teacher_logits: Tensor,
        student_forward_from: ForwardFrom,
        teacher_forward_from: ForwardFrom,
        epoch: int,
    ) -> dict[str, Tensor]:
        targets = [stage.detach() for stage in teacher_stages]
        bridges = built(self.to_teacher, self)
        bridged = [bridges[index](feature) for index, feature in enumerate(student_stages)]
        candidates, logits = [[feature] for feature in bridged], []
        into_teacher, into_student = self._draw(len(to_student := built(self.to_student, self)))
        for stage in into_teacher:
            continued = teacher_forward_from(stage, bridged[stage])
            logits.append(continued.logits)
            for features, feature in zip(candidates, continued.stages, strict=True):
                features.extend([] if feature is None else [feature])
        for stage in into_student:
            logits.append(student_forward_from(stage, to_student[stage](targets[stage])).logits)
        divergences = [softened_kl(z, teacher_logits.detach(), self.temperature) for z in logits]
        distances = [
            self.appearance(target, maps, final=target is targets[-1])
            for target, maps in zip(targets, candidates, strict=True)
        ]
        weight = self.appearance_weight * min(1.0, (epoch + 1) / self.warmup_epochs)
        paths = self.path_weight * torch.stack(divergences).sum() + self._nothing()
        return dict(loss_paths=paths, loss_appearance=weight * torch.stack(distances).sum())

    @staticmethod
    def appearance(target: Tensor, candidates: Sequence[Tensor], final: bool) -> Tensor:
        """Squared error of all maps at one stage; at the final one, of pooled maps as well."""
        error = torch.stack([F.mse_loss(feature, target) for feature in candidates]).sum()
        if not final:
            return error
        pooled = [F.relu(feature).mean((2, 3)) for feature in candidates]
        return error + FCFDLoss.appearance(F.relu(target).mean((2, 3)), pooled, final=False)

    def _draw(self, splits: int) -> tuple[list[int], list[int]]:
        """Stages after which the drawn paths go over, into the teacher and into the student."""
        drawn = torch.randperm(2 * splits)[: self.paths].tolist()
        into_teacher = [path for path in drawn if path < splits]
        return into_teacher, [path - splits for path in drawn if path >= splits]

    def _nothing(self) -> Tensor:
        """Zero, of all bridges: DistributedDataParallel wants a gradient of each in every step."""
        sums = [value.sum() for value in built(self.to_student, self).parameters()]
        return 0.0 * torch.stack(sums).sum()
