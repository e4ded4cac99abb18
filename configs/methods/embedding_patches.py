# Ours: embedding and patches by cosine, beside the labels; without them: configs/foundation.
from cls_kd.losses import EmbeddingRegressionLoss, PatchRegressionLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    embedding=dict(type=EmbeddingRegressionLoss),
    patches=dict(type=PatchRegressionLoss),
)
