"""Connectors, banks and weight schedules: trained or remembered, never deployed."""

from cls_kd.modules.banks import ContrastiveBank
from cls_kd.modules.connectors import ConvConnector, UnitEmbedding
from cls_kd.modules.schedules import (
    Constant,
    GaussianRampUp,
    LinearWarmup,
    Schedule,
    Window,
    as_schedule,
)

__all__ = [
    "Constant",
    "ContrastiveBank",
    "ConvConnector",
    "GaussianRampUp",
    "LinearWarmup",
    "Schedule",
    "UnitEmbedding",
    "Window",
    "as_schedule",
]
