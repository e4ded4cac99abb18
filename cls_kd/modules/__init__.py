"""Connectors, banks and weight schedules: trained or remembered, never deployed."""

from cls_kd.modules.banks import ContrastiveBank, PredictionBank
from cls_kd.modules.class_means import ClassMeans
from cls_kd.modules.class_predictions import ClassPredictions
from cls_kd.modules.connectors import (
    BottleneckConnector,
    ConvConnector,
    ConvGenerator,
    FrozenUnitEmbedding,
    LinearConnector,
    NarrowConnector,
    ProjectionHead,
    ResizingConnector,
    TokenGenerator,
    UnitEmbedding,
    align_channels,
    align_maps,
    align_width,
)
from cls_kd.modules.exits import ExitClassifier, Exits, MapExits, StageClassifiers
from cls_kd.modules.factors import Paraphraser, Translator
from cls_kd.modules.gaussian import GaussianRegressor
from cls_kd.modules.inverse_propensity import IPWDWeight, PropensityHead
from cls_kd.modules.pyramid import SelfTeacher
from cls_kd.modules.queues import EmbeddingQueue
from cls_kd.modules.review import ReviewFusion
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
from cls_kd.modules.stage_attention import StageAttention

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
    "GaussianRegressor",
    "IPWDWeight",
    "LinearConnector",
    "LinearWarmup",
    "MapExits",
    "NarrowConnector",
    "Paraphraser",
    "PredictionBank",
    "ProjectionHead",
    "PropensityHead",
    "ResizingConnector",
    "ReviewFusion",
    "Schedule",
    "SelfTeacher",
    "StageAttention",
    "StageClassifiers",
    "TokenGenerator",
    "Translator",
    "UnitEmbedding",
    "Window",
    "align_channels",
    "align_maps",
    "align_width",
    "as_schedule",
]
