"""Connectors, banks and weight schedules: trained or remembered, never deployed."""

from cls_kd.modules.banks import ContrastiveBank, PastPredictions
from cls_kd.modules.connectors import (
    ConvConnector,
    ConvGenerator,
    TokenGenerator,
    UnitEmbedding,
    align_width,
)
from cls_kd.modules.inverse_propensity import IPWDWeight, PropensityHead
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
    "ConvGenerator",
    "GaussianRampUp",
    "IPWDWeight",
    "LinearWarmup",
    "PastPredictions",
    "PropensityHead",
    "Schedule",
    "TokenGenerator",
    "UnitEmbedding",
    "Window",
    "align_width",
    "as_schedule",
]
