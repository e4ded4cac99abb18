"""Pure tensor mathematics that methods share."""

from cls_kd.functional.classes import split_target
from cls_kd.functional.correlation import pearson
from cls_kd.functional.hashing import hash_integers
from cls_kd.functional.maps import attention_map, match_size
from cls_kd.functional.pairs import pairwise_distances, triplet_cosines
from cls_kd.functional.softened import softened_cross_entropy, softened_kl
from cls_kd.functional.standardize import standardize

__all__ = [
    "attention_map",
    "hash_integers",
    "match_size",
    "pairwise_distances",
    "pearson",
    "softened_cross_entropy",
    "softened_kl",
    "split_target",
    "standardize",
    "triplet_cosines",
]
