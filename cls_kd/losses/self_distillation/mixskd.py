"""MixSKD: self-distillation from mixup."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.functional import peer_kl, scale_gradient
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_positive
from cls_kd.losses.search import TEMPERATURE, search_over
from cls_kd.modules.exits import MapExits
from cls_kd.signals.shapes import SignalShapes

_HIDDEN = 128


class MixSKDLoss(DistillLoss):
    r"""Match mixtures of predictions and maps with the predictions and maps of mixed images.

    Paper: Yang et al. 2022, arXiv:2208.05768

    .. math:: L = \sum_i \big[ D(\hat z_i, t_i) + D(\tilde z_i, \tilde t_i)
              + \mathrm{mean}(\hat f_i - \tilde f_i)^2 + A_i(\hat f_i, \tilde f_i) \big]
              + L_{\mathrm{task}}, \quad \hat f = \lambda f_n + (1 - \lambda) f_{\pi(n)}

    over the classifiers i: an exit on each stage but the last, and the student's own. A hat stands
    for the mixture of outputs of clean images, a tilde for an output of the mixed image; D(z, t) is
    T^2 KL from the softmax of t at T, a constant, to that of z. An exit learns both from each other
    (:math:`t = \tilde z, \tilde t = \hat z`), the student's own classifier from a self-teacher that
    sees all maps at once: t is its output of the maps f tilde, t tilde that of the maps f hat. A is
    the binary cross-entropy of a discriminator of the pooled maps, which learns to tell both kinds
    apart and whose gradient is reversed before the maps. L_task holds the exits' loss for
    the labels, and that of all classifiers and of the self-teacher for the mixed labels.

    [0] C. Yang, Z. An, H. Zhou, L. Cai, X. Zhi, J. Wu, Y. Xu, Q. Zhang, "MixSKD: Self-Knowledge
        Distillation from Mixup for Image Recognition", ECCV 2022, arXiv:2208.05768.
    [1] winycg/Self-KD-Lib@ede3062:main_mixskd_cifar.py, main_mixskd_imagenet.py and
        methods/adversarial.py; D and the distance of maps were compared. Faults of [1] that are not
        here: the CIFAR script leaves the cross-entropies of mixed images out of what it
        differentiates, so that the self-teacher stays as it was drawn (the ImageNet script has
        them); the discriminators are in no optimizer, and their gradient is not reversed, which
        rewards maps that differ. Which version the published 80.32 of ResNet18 on CIFAR-100 comes
        from is unknown. The layers of an exit are ours, as in ``BYOTLoss``; [1] repeats the
        network's own stages.

    Shapes:
        view_logits: (2, N, K), of the images and of their mixtures.
        view_stages: tuple of (2, N, C, h, w), at least two.
        permutation: (N,).

    Args:
        temperature: T. Default: CIFAR-100 and ImageNet.
        reversal: Factor of the discriminators' reversed gradient; -1 is the sign of [1]. Default:
            the authors' weight.
    """

    search_space = search_over(temperature=TEMPERATURE)

    def __init__(self, *, temperature: float = 3.0, reversal: float = 1.0) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        self.temperature = temperature
        self.reversal = reversal
        self.exits: MapExits | None = None
        self.self_teacher: nn.Module | None = None
        self.discriminators: nn.ModuleList | None = None

    def build(self, shapes: SignalShapes) -> None:
        stages = shapes.tensors("student_stages")
        if len(stages) < 2:
            raise UserError(
                "MixSKDLoss puts a classifier on every stage of the student but the last, and "
                "there is 1 stage."
            )
        width, count = stages[-1][0], len(stages)
        self.exits = MapExits(stages, width, shapes.num_classes)
        # Of pooled maps: a 1x1 convolution without bias and pooling may change places.
        self.self_teacher = nn.Sequential(
            nn.Linear(count * width, width, bias=False), nn.Linear(width, shapes.num_classes)
        )
        self.discriminators = nn.ModuleList(
            nn.Sequential(nn.Linear(width, _HIDDEN), nn.ReLU(inplace=True), nn.Linear(_HIDDEN, 2))
            for _ in range(count)
        )

    def forward(
        self,
        view_logits: Tensor,
        view_stages: tuple[Tensor, ...],
        student_criterion: Callable[[Tensor], Tensor],
        mix: float,
        permutation: Tensor,
    ) -> dict[str, Tensor]:
        exit_logits, exit_maps = built(self.exits, self)(
            [stage.flatten(0, 1) for stage in view_stages]
        )
        logits = torch.cat([exit_logits.unflatten(1, (2, -1)), view_logits.unsqueeze(0)])
        maps = [*(feature.unflatten(0, (2, -1)) for feature in exit_maps), view_stages[-1]]

        def mixture(clean: Tensor) -> Tensor:  # of (..., N, K) or (N, C, h, w)
            axis = 0 if clean.ndim == 4 else -2
            return mix * clean + (1 - mix) * clean.index_select(axis, permutation)

        def mixed_task(predicted: Tensor) -> Tensor:
            others = predicted[permutation.argsort()]  # in the order of the labels
            return mix * student_criterion(predicted) + (1 - mix) * student_criterion(others)

        pairs = [(mixture(feature[0]), feature[1]) for feature in maps]
        pooled = [torch.stack([hat.mean((2, 3)), tilde.mean((2, 3))]) for hat, tilde in pairs]
        taught = built(self.self_teacher, self)(torch.cat(pooled, dim=2))  # (2, N, K)
        hats, tildes = mixture(logits[:, 0]), logits[:, 1]
        task = [student_criterion(clean) for clean in logits[:-1, 0]]
        task += [mixed_task(predicted) for predicted in (*tildes, *taught)]
        distances = [F.mse_loss(hat, tilde) for hat, tilde in pairs]
        return dict(
            loss_task=torch.stack(task).sum(),
            loss_logits=self._divergence(hats, torch.cat([tildes[:-1], taught[1:]]))
            + self._divergence(tildes, torch.cat([hats[:-1], taught[:1]])),
            loss_features=torch.stack(distances).sum(),
            loss_discriminators=self._discrimination(pooled),
        )

    def _divergence(self, logits: Tensor, targets: Tensor) -> Tensor:
        return peer_kl(logits, targets.detach(), self.temperature)

    def _discrimination(self, pooled: list[Tensor]) -> Tensor:
        discriminators = built(self.discriminators, self)
        verdicts = torch.stack(
            [
                discriminate(scale_gradient(maps, -self.reversal))
                for discriminate, maps in zip(discriminators, pooled, strict=True)
            ]
        )  # (classifiers, 2, N, 2)
        kinds = torch.eye(2, device=verdicts.device, dtype=verdicts.dtype).unsqueeze(1)
        error = F.binary_cross_entropy_with_logits(verdicts, kinds.expand_as(verdicts))
        return len(verdicts) * error
