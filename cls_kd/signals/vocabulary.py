"""The vocabulary: every signal that a loss may ask for, by naming it as a parameter of ``forward``.

Letters of shapes: N batch, K classes, D embedding, C channels, h w map, L tokens, P peers, V views.

A teacher's signals are detached. With several teachers, a loss that names one (``teacher='name'``
or ``teacher=0``) gets that one's signals; a loss that names none gets ``teacher_logits`` as the
mean of all teachers' logits and ``all_teacher_logits`` as their stack, and may ask for no other
teacher signal (features of different networks have no common mean).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from cls_kd.errors import UserError, did_you_mean

Provider = Literal["batch", "time", "student", "teacher"]


@dataclass(frozen=True)
class Signal:
    """One row of the vocabulary.

    Attributes:
        name: What a loss writes in the signature of its ``forward``.
        shape: Shape and, where it is not float, type.
        meaning: One line.
        provider: Who knows it.
    """

    name: str
    shape: str
    meaning: str
    provider: Provider

    @property
    def rank(self) -> int:
        """Number of axes of the tensor, or of each tensor of a tuple."""
        return self.shape.count(",") + 1

    @property
    def batch_axis(self) -> int | None:
        """The axis of the samples; None where there is none."""
        letters = self.shape.removeprefix("tuple of ").strip("()").replace(" ", "").split(",")
        return letters.index("N") if "N" in letters else None


_BATCH = (
    Signal("inputs", "(N, 3, H, W)", "normalized images, as the student sees them", "batch"),
    Signal("labels", "(N,) int64", "hard labels (argmax of targets under mixup, CutMix)", "batch"),
    Signal("targets", "(N, K)", "label distribution: one-hot, smoothed or mixed", "batch"),
    Signal("index", "(N,) int64", "the sample's index in the data set", "batch"),
    Signal("pair_inputs", "(N, 3, H, W)", "another image of each sample's class", "batch"),
    Signal("view_inputs", "(V, N, 3, H, W)", "augmentations of each image, inputs first", "batch"),
    Signal(
        "permutation",
        "(N,) int64",
        "of each sample, the image of the batch that its second view is mixed with",
        "batch",
    ),
    Signal("mix", "float in [0, 1]", "weight of the sample's own image in that mixture", "batch"),
    Signal("epoch", "int", "finished epochs", "time"),
    Signal("max_epochs", "int", "epochs of the whole training", "time"),
    Signal("progress", "float in [0, 1]", "finished fraction of all training steps", "time"),
)

# Said once for both networks; each becomes `student_...` and `teacher_...`.
_NETWORK = (
    ("logits", "(N, K)", "output of the classifier, before any softmax"),
    ("embedding", "(N, D)", "what the classifier sees"),
    ("feature", "(N, C, h, w)", "last map before pooling"),
    ("stages", "tuple of (N, C, h, w)", "the map after each stage, first stage first"),
    ("preacts", "tuple of (N, C, h, w)", "the same before the last ReLU"),
    ("block_maps", "tuple of (N, C, h, w)", "the map after each residual block"),
    ("tokens", "(N, L, D)", "vision transformer: tokens of the last block"),
    ("blocks", "tuple of (N, L, D)", "vision transformer: tokens after each block"),
    ("normed_tokens", "(N, L, D)", "vision transformer: tokens after the final norm"),
    ("patch_tokens", "(N, L, D)", "vision transformer: the patches among the normed tokens"),
    ("classify", "(N, C, h, w) -> (N, K)", "callable: pooling and classifier on a feature map"),
    ("forward", "(N, 3, H, W) -> (N, K)", "callable: an extra pass through the whole network"),
    (
        "forward_from",
        "int, (N, C, h, w) -> stages, feature, logits",
        "callable: an extra pass from a stage on, with another map in its place",
    ),
)

_STUDENT_ONLY = (
    Signal(
        "student_criterion",
        "(N, K) -> scalar",
        "callable: the student's own loss of logits against the batch's labels",
        "student",
    ),
    Signal(
        "student_expanded_feature",
        "(N, C, h, w)",
        "student of NORM: its last map at a multiple of the teacher's width",
        "student",
    ),
    Signal(
        "student_class_token_logits",
        "(N, K)",
        "student with a distillation token: logits of its class token",
        "student",
    ),
    Signal(
        "student_distillation_token_logits",
        "(N, K)",
        "student with a distillation token: logits of that token",
        "student",
    ),
    Signal(
        "student_projected",
        "(N, C, h, w)",
        "student with a ProjectedBackbone: its last map, of the teacher's width",
        "student",
    ),
    Signal("pair_logits", "(N, K)", "the student's logits of pair_inputs, no gradient", "student"),
    Signal("view_logits", "(V, N, K)", "the student's logits of view_inputs", "student"),
    Signal("view_embeddings", "(V, N, D)", "what its classifier sees of view_inputs", "student"),
    Signal("view_stages", "tuple of (V, N, C, h, w)", "its stages, of view_inputs", "student"),
    Signal("peer_logits", "(P, N, K)", "student of several branches: logits of each", "student"),
    Signal("peer_embeddings", "(P, N, D)", "what the classifier of each branch sees", "student"),
    Signal("peer_targets", "(P, N, K)", "logits that each branch is taught by", "student"),
    Signal("peer_classifiers", "(P, K, D)", "weights of each branch's classifier", "student"),
    Signal("mean_peer_logits", "(P, N, K)", "logits of each branch's moving average", "student"),
    Signal("ensemble_logits", "(N, K)", "logits of all branches together", "student"),
)


def _of(role: Literal["student", "teacher"]) -> tuple[Signal, ...]:
    return tuple(
        Signal(f"{role}_{name}", shape, f"{role}: {meaning}", role)
        for name, shape, meaning in _NETWORK
    )


_TEACHER_ONLY = (
    Signal(
        "teacher_view_embeddings", "(V, N, D)", "what its classifier sees of view_inputs", "teacher"
    ),
    Signal(
        "teacher_view_stages",
        "tuple of (V, N, C, h, w)",
        "the teacher's stages, of view_inputs",
        "teacher",
    ),
    Signal("all_teacher_logits", "(P, N, K)", "logits of every teacher", "teacher"),
    Signal("all_teacher_embeddings", "tuple of (N, D)", "embedding of every teacher", "teacher"),
    Signal("all_teacher_features", "tuple of (N, C, h, w)", "last map of every teacher", "teacher"),
    Signal(
        "all_teacher_classify",
        "tuple of (N, C, h, w) -> (N, K)",
        "callables: each teacher's pooling and classifier",
        "teacher",
    ),
    Signal(
        "teacher_preact_norms",
        "tuple of (2, C)",
        "weight and bias of the batch norm before each of teacher_preacts",
        "teacher",
    ),
    Signal("teacher_view_logits", "(V, N, K)", "the teacher's logits of view_inputs", "teacher"),
)

VOCABULARY: dict[str, Signal] = {
    signal.name: signal
    for signal in (*_BATCH, *_of("student"), *_STUDENT_ONLY, *_of("teacher"), *_TEACHER_ONLY)
}

CALLABLES = frozenset(
    {"student_classify", "student_forward", "student_criterion", "teacher_classify"}
    | {"teacher_forward", "student_forward_from", "teacher_forward_from", "all_teacher_classify"}
)
"""Signals that are functions: they cost nothing until called."""

OF_ALL_TEACHERS = {
    "all_teacher_logits": "teacher_logits",
    "all_teacher_embeddings": "teacher_embedding",
    "all_teacher_features": "teacher_feature",
    "all_teacher_classify": "teacher_classify",
}
"""Signals of all teachers to what is asked of each."""


OF_CLASSES = frozenset(
    {f"teacher_{name}" for name in ("logits", "view_logits", "classify", "forward", "forward_from")}
    | {"all_teacher_logits", "all_teacher_classify"}
)
"""Signals of teachers that are, or give, logits: a network without classes has none of them."""

WITHOUT_CLASSIFIER = frozenset(
    {
        "student_embedding",
        "student_feature",
        "student_stages",
        "student_preacts",
        "student_tokens",
        "student_blocks",
        "student_normed_tokens",
        "student_patch_tokens",
        "view_embeddings",
        "view_stages",
    }
)
"""Signals of a student on which its classifier has no effect."""

OF_LABELS = frozenset({"labels", "targets", "pair_inputs", "pair_logits", "student_criterion"})
"""Signals that need the labels of the images."""


def check_names(names: Iterable[str], owner: str) -> None:
    """Refuse names that are not in the vocabulary.

    Raises:
        UserError: Naming ``owner``, the unknown signal and its nearest matches.
    """
    for name in names:
        if name not in VOCABULARY:
            raise UserError(
                f"{owner} asks for the signal {name!r}, which does not exist."
                f"{did_you_mean(name, VOCABULARY)}"
            )
