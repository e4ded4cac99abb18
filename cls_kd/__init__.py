"""Config-driven knowledge distillation for image classification on MMEngine and mmpretrain."""

__version__ = "0.1.0"

# First of all: the registry quiets what the stack prints when it is first imported.
from cls_kd import registry as registry
