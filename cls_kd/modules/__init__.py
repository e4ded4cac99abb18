"""Connectors, banks and weight schedules: trained or remembered, never deployed."""

from cls_kd.modules.banks import ContrastiveBank, PredictionBank
from cls_kd.modules.class_means import ClassMeans
from cls_kd.modules.class_predictions import ClassPredictions
from cls_kd.modules.connectors import (
    BottleneckConnector,
    ConvConnector,
    ConvGenerator,
    FrozenUnitEmbedding,
    ResizingConnector,
    TokenGenerator,
    UnitEmbedding,
    align_width,
)
from cls_kd.modules.exits import ExitClassifier, Exits
from cls_kd.modules.inverse_propensity import IPWDWeight, PropensityHead
from cls_kd.modules.pyramid import SelfTeacher
from cls_kd.modules.queues import EmbeddingQueue
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
    "ClassPredictions",
    "Constant",
    "ContrastiveBank",
    "ConvConnector",
    "ConvGenerator",
    "CosineDecay",
    "EmbeddingQueue",
    "EpochWarmup",
    "ExitClassifier",
    "Exits",
    "FrozenUnitEmbedding",
    "GaussianRampUp",
    "IPWDWeight",
    "LinearWarmup",
    "PredictionBank",
    "PropensityHead",
    "ResizingConnector",
    "Schedule",
    "SelfTeacher",
    "TokenGenerator",
    "UnitEmbedding",
    "Window",
    "align_width",
    "as_schedule",
]
