"""Config-driven knowledge distillation for image classification on MMEngine and mmpretrain."""

__version__ = "0.1.0"
