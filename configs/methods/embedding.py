# Ours: the teacher's embedding by cosine, beside the labels; without them: configs/foundation.
from cls_kd.losses import EmbeddingRegressionLoss, TaskLoss

losses = dict(ce=dict(type=TaskLoss), embedding=dict(type=EmbeddingRegressionLoss))
