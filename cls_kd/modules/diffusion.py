"""Denoising of a student's features by a small diffusion model of the teacher's (DiffKD)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_FIRST_BETA, _LAST_BETA = 1e-4, 0.02


class Noise(NamedTuple):
    """The random numbers of one step.

    Attributes:
        student: Mixed into the student's features, of their shape.
        teacher: Added to the teacher's features, of their shape.
        times: Diffusion time of each sample, (N,) int64.
    """

    student: Tensor
    teacher: Tensor
    times: Tensor


class FeatureDenoiser(nn.Module):
    """Refine features by deterministic diffusion steps (DDIM), with a model of the noise.

    A noise adapter decides for each sample how much noise is mixed into the student's features, as
    if they were features of the teacher with noise. Steps begin at the middle of the schedule.
    Variances increase linearly from 1e-4 to 0.02.

    Args:
        channels: Channels of both networks' features.
        predictor: Body of the model of the noise, (N, C, h, w) -> (N, C, h, w).
        adapter: Body of the noise adapter, (N, C, h, w) -> (N, C, h', w').
        train_steps: Number of diffusion times.
        inference_steps: Number of denoising steps.
    """

    signal_scale: Tensor
    noise_scale: Tensor

    def __init__(
        self,
        channels: int,
        predictor: nn.Module,
        adapter: nn.Module,
        train_steps: int = 1000,
        inference_steps: int = 5,
    ) -> None:
        super().__init__()
        self.time_embedding = nn.Embedding(train_steps, channels)
        self.predictor = predictor
        self.adapter = adapter
        self.fraction = nn.Linear(channels, 2)
        betas = torch.linspace(_FIRST_BETA, _LAST_BETA, train_steps, dtype=torch.float64)
        kept = (1 - betas).cumprod(0)
        scales = kept.sqrt(), (1 - kept).sqrt()
        self.register_buffer("signal_scale", scales[0].to(torch.get_default_dtype()), False)
        self.register_buffer("noise_scale", scales[1].to(torch.get_default_dtype()), False)
        stride = train_steps // (2 * inference_steps)
        self.times = [stride * step for step in reversed(range(inference_steps))]
        self.scales = [(scales[0][time].item(), scales[1][time].item()) for time in self.times]

    def draw(self, student: Tensor, teacher: Tensor) -> Noise:
        """Random numbers for features of these shapes."""
        count = self.time_embedding.num_embeddings
        times = torch.randint(count, (len(teacher),), device=teacher.device)
        return Noise(torch.randn_like(student), torch.randn_like(teacher), times)

    def refine(self, student: Tensor, noise: Tensor) -> Tensor:
        """The student's features, (N, C, h, w), with noise, denoised in all steps."""
        pooled = self.adapter(student).mean((2, 3))
        fraction = F.softmax(self.fraction(pooled), dim=1)[:, 0].view(-1, 1, 1, 1)
        feature = fraction * student + (1 - fraction) * noise
        following = [*self.scales[1:], (1.0, 0.0)]
        for time, now, after in zip(self.times, self.scales, following, strict=True):
            predicted = self._predict(feature, self.time_embedding.weight[time : time + 1])
            clean = (feature - now[1] * predicted) / now[0]
            feature = after[0] * clean + after[1] * predicted
        return feature

    def noise_error(self, teacher: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """Mean squared error of the noise that the model finds in noised features."""
        signal, scale = (
            scales[times].view(-1, 1, 1, 1) for scales in (self.signal_scale, self.noise_scale)
        )
        predicted = self._predict(signal * teacher + scale * noise, self.time_embedding(times))
        return F.mse_loss(predicted, noise)

    def _predict(self, feature: Tensor, time: Tensor) -> Tensor:
        return self.predictor(feature + time[:, :, None, None])


class ResidualBottleneck(nn.Module):
    """``x`` plus convolutions 1x1, 3x3 and 1x1 with batch normalization; fewer channels inside."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        inner = max(channels // reduction, 1)
        self.block = nn.Sequential(
            *convolution(channels, inner),
            nn.ReLU(inplace=True),
            *convolution(inner, inner, kernel_size=3),
            nn.ReLU(inplace=True),
            *convolution(inner, channels),
        )

    def forward(self, feature: Tensor) -> Tensor:
        return feature + self.block(feature)


def map_denoiser(channels: int, train_steps: int, inference_steps: int) -> FeatureDenoiser:
    """A denoiser of feature maps: residual bottlenecks."""
    predictor = nn.Sequential(
        ResidualBottleneck(channels, reduction=4),
        ResidualBottleneck(channels, reduction=4),
        *convolution(channels, channels),
    )
    adapter = ResidualBottleneck(channels, reduction=8)
    return FeatureDenoiser(channels, predictor, adapter, train_steps, inference_steps)


def vector_denoiser(channels: int, train_steps: int, inference_steps: int) -> FeatureDenoiser:
    """A denoiser of vectors, as maps of one position (N, C, 1, 1): wide hidden layers."""
    predictor = nn.Sequential(
        *convolution(channels, 4 * channels),
        nn.ReLU(inplace=True),
        *convolution(4 * channels, channels),
        *convolution(channels, 4 * channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(4 * channels, channels, kernel_size=1),
    )
    adapter = nn.Sequential(
        *convolution(channels, 2 * channels),
        nn.ReLU(inplace=True),
        *convolution(2 * channels, channels),
    )
    return FeatureDenoiser(channels, predictor, adapter, train_steps, inference_steps)


def convolution(in_channels: int, out_channels: int, kernel_size: int = 1) -> nn.Sequential:
    """A convolution that keeps the size, and batch normalization; no bias, which it takes out."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False),
        nn.BatchNorm2d(out_channels),
    )
