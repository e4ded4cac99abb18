# Queue and temperatures of lightly-ai/lightly-train's first version, beside the labels.
from cls_kd.losses import QueueSimilarityLoss, TaskLoss

losses = dict(
    ce=dict(type=TaskLoss),
    queue=dict(type=QueueSimilarityLoss, size=8192, student_temperature=0.07),
)
losses["queue"].update(teacher_temperature=0.07)
