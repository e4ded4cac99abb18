r"""Decomposition of KD's cross-entropy into target, mass and shape terms.

With the softmaxes s and t at temperature T, the label y, and hats for the same over the other
classes alone:

.. math::
    T^2 H(t, s) = T^2 \big( \underbrace{-t_y \log s_y}_{\text{target}}
        \underbrace{- (1 - t_y) \log (1 - s_y)}_{\text{mass}}
        + \underbrace{(1 - t_y) H(\hat t, \hat s)}_{\text{shape}} \big)

The last two make up the non-target part. As long as s_y differs from t_y, the other classes of both
networks hold different masses, and the non-target part cannot be matched, however similar the
normalized probabilities are. NKD compares these alone: ``T^2 H(t-hat, s-hat)``, without the factor
(Yang et al. 2023, arXiv:2303.13005).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional import split_target


@dataclass(frozen=True)
class Decomposition:
    """Parts of KD's cross-entropy, one value a sample (N,); ``mean`` of it has floats.

    Attributes:
        target: T^2 times the target part.
        mass: T^2 times the part of the other classes that depends on their mass alone.
        shape: T^2 times the part of their normalized probabilities, weighted by the teacher's mass.
        normalized: NKD's non-target part, T^2 H of normalized probabilities, without gamma.
        floor: The least that ``normalized`` can be: T^2 times the entropy of
            the teacher's normalized probabilities.
        student_mass: 1 - s_y, at temperature T.
        teacher_mass: 1 - t_y, at temperature T.
        gradient: Norm of the gradient of the whole by the student's logits.
        target_gradient: Norm of that of the target part.
        non_target_gradient: Norm of that of the non-target part.
        normalized_gradient: Norm of that of ``normalized``.
    """

    target: Tensor
    mass: Tensor
    shape: Tensor
    normalized: Tensor
    floor: Tensor
    student_mass: Tensor
    teacher_mass: Tensor
    gradient: Tensor
    target_gradient: Tensor
    non_target_gradient: Tensor
    normalized_gradient: Tensor

    @property
    def non_target(self) -> Tensor:
        """The non-target part: mass plus shape."""
        return self.mass + self.shape

    @property
    def total(self) -> Tensor:
        """KD's cross-entropy, T^2 H(t, s)."""
        return self.target + self.non_target

    def mean(self) -> dict[str, float]:
        """Averages over the samples, and the fractions of the target part in the averages.

        ``target_share`` is that of the value. ``target_gradient_share`` is that in the sum of the
        two norms, which is not the norm of the sum: the two gradients partly cancel.
        """
        names = [field.name for field in fields(self)] + ["non_target", "total"]
        means = {name: float(getattr(self, name).mean()) for name in names}
        both = means["target_gradient"] + means["non_target_gradient"]
        means["target_share"] = _fraction(means["target"], means["total"])
        means["target_gradient_share"] = _fraction(means["target_gradient"], both)
        return means


def _fraction(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def decompose(
    student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, temperature: float = 1.0
) -> Decomposition:
    """Take KD's cross-entropy apart, in float64.

    Args:
        student_logits: (N, K).
        teacher_logits: (N, K).
        labels: (N,).
        temperature: T.
    """
    log_s = F.log_softmax(student_logits.double() / temperature, dim=1)
    log_t = F.log_softmax(teacher_logits.double() / temperature, dim=1)
    (target_s, rest_s), (target_t, rest_t) = (
        split_target(log_s, labels),
        split_target(log_t, labels),
    )
    mass_s, mass_t = rest_s.logsumexp(1, keepdim=True), rest_t.logsumexp(1, keepdim=True)
    hat_s, hat_t = rest_s - mass_s, rest_t - mass_t
    normalized = -(hat_t.exp() * hat_s).sum(1, keepdim=True)

    # By the logits, label first: T times what follows, for each part.
    s, t = torch.cat([target_s, rest_s], 1).exp(), torch.cat([target_t, rest_t], 1).exp()
    label = torch.zeros_like(s)
    label[:, 0] = 1
    target_gradient = t[:, :1] * (s - label)
    non_target_gradient = t[:, 1:].sum(1, keepdim=True) * s - t * (1 - label)

    def value(part: Tensor) -> Tensor:
        return temperature**2 * part.squeeze(1)

    def norm(gradient: Tensor) -> Tensor:
        return temperature * gradient.norm(dim=1)

    return Decomposition(
        target=value(-target_t.exp() * target_s),
        mass=value(-mass_t.exp() * mass_s),
        shape=value(mass_t.exp() * normalized),
        normalized=value(normalized),
        floor=value(-(hat_t.exp() * hat_t).sum(1, keepdim=True)),
        student_mass=mass_s.exp().squeeze(1),
        teacher_mass=mass_t.exp().squeeze(1),
        gradient=norm(s - t),
        target_gradient=norm(target_gradient),
        non_target_gradient=norm(non_target_gradient),
        normalized_gradient=norm(hat_s.exp() - hat_t.exp()),
    )
