"""Connectors, banks and weight schedules: trained or remembered, never deployed."""

from cls_kd.modules.banks import ContrastiveBank, PredictionBank
from cls_kd.modules.class_means import ClassMeans
from cls_kd.modules.connectors import (
    BottleneckConnector,
    ConvConnector,
    ConvGenerator,
    ResizingConnector,
    TokenGenerator,
    UnitEmbedding,
    align_width,
)
from cls_kd.modules.inverse_propensity import IPWDWeight, PropensityHead
from cls_kd.modules.schedules import (
    Constant,
    CosineDecay,
    EpochWarmup,
    GaussianRampUp,
    LinearWarmup,
    Schedule,
    Window,
    as_schedule,
)

__all__ = [
    "BottleneckConnector",
    "ClassMeans",
    "Constant",
    "ContrastiveBank",
    "ConvConnector",
    "ConvGenerator",
    "CosineDecay",
    "EpochWarmup",
    "GaussianRampUp",
    "IPWDWeight",
    "LinearWarmup",
    "PredictionBank",
    "PropensityHead",
    "ResizingConnector",
    "Schedule",
    "TokenGenerator",
    "UnitEmbedding",
    "Window",
    "align_width",
    "as_schedule",
]
