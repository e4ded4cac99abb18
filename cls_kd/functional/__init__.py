"""Pure tensor mathematics that methods share."""

from cls_kd.functional.classes import split_target
from cls_kd.functional.correlation import pearson
from cls_kd.functional.distributed import gather, mean_over_processes
from cls_kd.functional.hashing import hash_integers
from cls_kd.functional.maps import (
    attention_map,
    class_activation_map,
    classify_positions,
    match_size,
)
from cls_kd.functional.pairs import pairwise_distances, triplet_cosines
from cls_kd.functional.peers import (
    best_combination,
    best_logits,
    least_margins,
    mean_logits,
    peer_kl,
)
from cls_kd.functional.softened import softened_cross_entropy, softened_kl, softened_kl_each
from cls_kd.functional.standardize import standardize
from cls_kd.functional.targets import two_targets
from cls_kd.functional.tokens import grid_side, patch_tokens

__all__ = [
    "attention_map",
    "best_combination",
    "best_logits",
    "class_activation_map",
    "classify_positions",
    "gather",
    "grid_side",
    "hash_integers",
    "least_margins",
    "match_size",
    "mean_logits",
    "mean_over_processes",
    "pairwise_distances",
    "patch_tokens",
    "pearson",
    "peer_kl",
    "softened_cross_entropy",
    "softened_kl",
    "softened_kl_each",
    "split_target",
    "standardize",
    "triplet_cosines",
    "two_targets",
]
