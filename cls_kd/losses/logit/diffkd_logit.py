"""DiffKD on logits: KD through a diffusion model of the teacher's logits."""

from __future__ import annotations

from torch import Tensor, nn

from cls_kd.functional import softened_kl
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_positive, check_steps
from cls_kd.modules.diffusion import FeatureDenoiser, Noise, convolution, vector_denoiser
from cls_kd.signals.shapes import SignalShapes


class DiffKDLogitLoss(DistillLoss):
    r"""Match the teacher's predictions by the student's logits, denoised by a diffusion model.

    Paper: Huang et al. 2023, arXiv:2305.15712

    .. math:: L = T^2 \, \mathrm{KL}(z^t \| p(R(a(z^s), \epsilon_1)))
                + \mathrm{mean}\,(\epsilon_\theta(\sqrt{\bar\alpha_\tau} z^t
                  + \sqrt{1 - \bar\alpha_\tau}\, \epsilon_2, \tau) - \epsilon_2)^2

    the first term between softmaxes at T, mean over the batch; a, R, p and the noise as in
    ``DiffKDLoss``, on logits as maps of one position, and without an autoencoder.

    [0] T. Huang, Y. Zhang, M. Zheng, S. You, F. Wang, C. Qian, C. Xu, "Knowledge Diffusion for
        Distillation", NeurIPS 2023, arXiv:2305.15712.
    [1] hunto/image_classification_sota@6f7a70a:lib/models/losses/diffkd. Differences as in
        ``DiffKDLoss``.

    Shapes:
        student_logits, teacher_logits: (N, K).

    Args:
        temperature: T. Default: ImageNet.
        inference_steps: Number of denoising steps. Default: ImageNet.
        train_steps: Number of diffusion times. Default: ImageNet.

    Weight:
        1 on ImageNet.
    """

    def __init__(
        self, *, temperature: float = 1.0, inference_steps: int = 5, train_steps: int = 1000
    ) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        check_steps(self, inference_steps, train_steps)
        self.temperature = temperature
        self.steps = (train_steps, inference_steps)
        self.align: nn.Module | None = None
        self.denoiser: FeatureDenoiser | None = None
        self.project: nn.Module | None = None

    def build(self, shapes: SignalShapes) -> None:
        (student,), (teacher,) = shapes.tensor("student_logits"), shapes.tensor("teacher_logits")
        self.align = nn.Conv2d(student, teacher, kernel_size=1)
        self.denoiser = vector_denoiser(teacher, *self.steps)
        self.project = convolution(teacher, teacher)

    def forward(self, student_logits: Tensor, teacher_logits: Tensor) -> dict[str, Tensor]:
        aligned = built(self.align, self)(student_logits[:, :, None, None])
        teacher = teacher_logits.detach()[:, :, None, None]
        return self.terms(aligned, teacher, built(self.denoiser, self).draw(aligned, teacher))

    def terms(self, aligned: Tensor, teacher: Tensor, noise: Noise) -> dict[str, Tensor]:
        """Both terms with given random numbers; logits are (N, K, 1, 1)."""
        denoiser: FeatureDenoiser = built(self.denoiser, self)
        refined = built(self.project, self)(denoiser.refine(aligned, noise.student))
        return dict(
            loss_logits=softened_kl(refined.flatten(1), teacher.flatten(1), self.temperature),
            loss_diffusion=denoiser.noise_error(teacher, noise.teacher, noise.times),
        )
