"""DiffKD: distillation through a diffusion model of the teacher's features."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.functional import match_size
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_positive, check_steps
from cls_kd.modules.diffusion import FeatureDenoiser, Noise, convolution, map_denoiser
from cls_kd.signals.shapes import SignalShapes


class DiffKDLoss(DistillLoss):
    r"""Match the teacher's compressed feature map by the student's, denoised by a diffusion model.

    Paper: Huang et al. 2023, arXiv:2305.15712

    .. math:: L = \mathrm{mean}\,(p(R(a(f^s), \epsilon_1)) - E(f^t))^2
                + \mathrm{mean}\,(\epsilon_\theta(\sqrt{\bar\alpha_\tau} E(f^t)
                  + \sqrt{1 - \bar\alpha_\tau}\, \epsilon_2, \tau) - \epsilon_2)^2
                + \mathrm{mean}\,(D(E(f^t)) - f^t)^2

    with E and D a linear autoencoder of the teacher's map, whose code is a constant in the first
    two terms; a a 1x1 convolution to its width; R mixes the student's map with noise, in a learned
    proportion, and denoises it in a few steps (DDIM) by the model epsilon_theta; p a 1x1
    convolution and batch normalization. The noise and the time tau of each sample are drawn anew in
    each step, by PyTorch's generator.

    [0] T. Huang, Y. Zhang, M. Zheng, S. You, F. Wang, C. Qian, C. Xu, "Knowledge Diffusion for
        Distillation", NeurIPS 2023, arXiv:2305.15712.
    [1] hunto/image_classification_sota@6f7a70a:lib/models/losses/diffkd. Differences: the noise
        schedule is computed in float64; convolutions before batch normalization have no bias; the
        larger of two maps is average-pooled to the smaller (ours). The second place of [1], the
        logits, is ``DiffKDLogitLoss``.

    Shapes:
        student_feature, teacher_feature: (N, C, h, w).

    Args:
        autoencoder_channels: Channels of the code. Default: ImageNet.
        inference_steps: Number of denoising steps. Default: ImageNet.
        train_steps: Number of diffusion times. Default: ImageNet.

    Weight:
        1 on ImageNet.
    """

    def __init__(
        self,
        *,
        autoencoder_channels: int = 1024,
        inference_steps: int = 5,
        train_steps: int = 1000,
    ) -> None:
        super().__init__()
        check_positive(self, autoencoder_channels=autoencoder_channels)
        check_steps(self, inference_steps, train_steps)
        self.channels = autoencoder_channels
        self.steps = (train_steps, inference_steps)
        self.encoder: nn.Module | None = None
        self.decoder: nn.Module | None = None
        self.align: nn.Module | None = None
        self.denoiser: FeatureDenoiser | None = None
        self.project: nn.Module | None = None

    def build(self, shapes: SignalShapes) -> None:
        student, teacher = shapes.tensor("student_feature")[0], shapes.tensor("teacher_feature")[0]
        self.encoder = convolution(teacher, self.channels)
        self.decoder = nn.Conv2d(self.channels, teacher, kernel_size=1)
        self.align = nn.Conv2d(student, self.channels, kernel_size=1)
        self.denoiser = map_denoiser(self.channels, *self.steps)
        self.project = convolution(self.channels, self.channels)

    def forward(self, student_feature: Tensor, teacher_feature: Tensor) -> dict[str, Tensor]:
        student, teacher = match_size(student_feature, teacher_feature.detach())
        aligned, code = built(self.align, self)(student), built(self.encoder, self)(teacher)
        noise = built(self.denoiser, self).draw(aligned, code)
        return self.terms(aligned, teacher, code, noise)

    def terms(
        self, aligned: Tensor, teacher: Tensor, code: Tensor, noise: Noise
    ) -> dict[str, Tensor]:
        """The three terms with given random numbers.

        Args:
            aligned: The student's map at the width of the code.
            teacher: The teacher's map.
            code: Its code.
            noise: See ``Noise``.
        """
        denoiser: FeatureDenoiser = built(self.denoiser, self)
        target = code.detach()
        refined = built(self.project, self)(denoiser.refine(aligned, noise.student))
        return dict(
            loss_feature=F.mse_loss(refined, target),
            loss_diffusion=denoiser.noise_error(target, noise.teacher, noise.times),
            loss_autoencoder=F.mse_loss(built(self.decoder, self)(code), teacher),
        )
