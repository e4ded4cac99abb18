"""Pure tensor mathematics that methods share."""

from cls_kd.functional.classes import (
    class_weights,
    decouple,
    exchange,
    non_target_indices,
    split_target,
)
from cls_kd.functional.correlation import (
    batch_correlation,
    class_correlation,
    gram_distance,
    pearson,
)
from cls_kd.functional.distributed import gather, mean_over_processes
from cls_kd.functional.gradients import scale_gradient
from cls_kd.functional.gram import normalized_gram
from cls_kd.functional.hashing import hash_integers
from cls_kd.functional.maps import (
    attention_map,
    class_activation_map,
    classify_positions,
    direction_error,
    hierarchical_context_error,
    match_resolution,
    match_size,
    without_mean,
)
from cls_kd.functional.margins import negative_margins
from cls_kd.functional.pairs import pairwise_cosines, pairwise_distances, triplet_cosines
from cls_kd.functional.peers import (
    best_combination,
    best_logits,
    least_margins,
    mean_logits,
    mutual_kl,
    peer_kl,
)
from cls_kd.functional.quadratic import shortest_combination
from cls_kd.functional.singular import right_singular_vectors
from cls_kd.functional.softened import (
    softened_cross_entropy,
    softened_cross_entropy_each,
    softened_kl,
    softened_kl_each,
    subset_kl_each,
)
from cls_kd.functional.standardize import standardize, standardize_columns
from cls_kd.functional.targets import right_rows, two_targets
from cls_kd.functional.teachers import confidence_weights, teacher_kl_each
from cls_kd.functional.tokens import grid_side, patch_tokens
from cls_kd.functional.transport import sinkhorn_distance

__all__ = [
    "attention_map",
    "batch_correlation",
    "best_combination",
    "best_logits",
    "class_activation_map",
    "class_correlation",
    "class_weights",
    "classify_positions",
    "confidence_weights",
    "decouple",
    "direction_error",
    "exchange",
    "gather",
    "gram_distance",
    "grid_side",
    "hash_integers",
    "hierarchical_context_error",
    "least_margins",
    "match_resolution",
    "match_size",
    "mean_logits",
    "mean_over_processes",
    "mutual_kl",
    "negative_margins",
    "non_target_indices",
    "normalized_gram",
    "pairwise_cosines",
    "pairwise_distances",
    "patch_tokens",
    "pearson",
    "peer_kl",
    "right_rows",
    "right_singular_vectors",
    "scale_gradient",
    "shortest_combination",
    "sinkhorn_distance",
    "softened_cross_entropy",
    "softened_cross_entropy_each",
    "softened_kl",
    "softened_kl_each",
    "split_target",
    "standardize",
    "standardize_columns",
    "subset_kl_each",
    "teacher_kl_each",
    "triplet_cosines",
    "two_targets",
    "without_mean",
]
