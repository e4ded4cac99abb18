"""Class structure of predictions below the top-1: do they fall on similar classes? All ours.

The paper of generations (Yang et al. 2019, arXiv:1805.05551) measures such secondary information in
two ways, whose formulas we do not know; these are our own and must not be taken for them.

``superclasses`` gives each class the number of its superclass: (K,), int64. ``logits`` are (N, K);
log-probabilities will do.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.functional import softened_kl


def coarse_separation(embeddings: Tensor, labels: Tensor, superclasses: Tensor) -> float:
    """Mean distance of class centroids across superclasses, divided by that within them.

    Above 1 where classes of one superclass lie together.

    Args:
        embeddings: (N, D).
        labels: (N,), each class at least once.
        superclasses: See above.

    Raises:
        UserError: A class has no sample, or all or no classes are of one superclass.
    """
    classes = len(superclasses)
    counts = labels.bincount(minlength=classes)
    if counts.min() == 0:
        missing = (counts == 0).nonzero().flatten().tolist()
        raise UserError(f"coarse_separation: no sample is of the classes {missing}.")
    if len(superclasses.unique()) in (1, classes):
        raise UserError(
            "coarse_separation compares distances within superclasses and across them: give at "
            "least two superclasses, one of them with two classes."
        )
    sums = torch.zeros(classes, embeddings.shape[1], dtype=torch.float64)
    centroids = sums.index_add(0, labels, embeddings.double()) / counts.unsqueeze(1)
    pairs = torch.combinations(torch.arange(classes))
    distances = (centroids[pairs[:, 0]] - centroids[pairs[:, 1]]).norm(dim=1)
    within = superclasses[pairs[:, 0]] == superclasses[pairs[:, 1]]
    return float(distances[~within].mean() / distances[within].mean())


def secondary_mass(logits: Tensor, superclasses: Tensor) -> float:
    """Fraction of the non-top-1 probability in the superclass of the top-1; mean over samples."""
    first = logits.argmax(1)
    # In logarithms, so that also a certain network's rest is compared.
    others = logits.double().scatter(1, first.unsqueeze(1), float("-inf"))
    like = superclasses[first].unsqueeze(1) == superclasses
    return float((F.softmax(others, dim=1) * like).sum(1).mean())


def top_k_hit_rate(logits: Tensor, superclasses: Tensor, k: int) -> float:
    """Fraction of the second to k-th classes that are in the superclass of the top-1."""
    predicted = superclasses[logits.topk(k, dim=1).indices]
    return float((predicted[:, 1:] == predicted[:, :1]).double().mean())


def generation_drift(before: Tensor, after: Tensor) -> float:
    """``KL(before || after)`` of the softmaxes of two networks' logits, mean over samples."""
    return float(softened_kl(after.double(), before.double()))


def mass_by_chance(superclasses: Tensor) -> float:
    """Chance level of ``secondary_mass`` and ``top_k_hit_rate``: uninformative other classes.

    For top-1 predictions that are balanced over classes.
    """
    like = superclasses.unsqueeze(1) == superclasses
    return float((like.sum(1) - 1).double().mean() / (len(superclasses) - 1))


def superclasses_of(names: Sequence[str | int], classes: int) -> Tensor:
    """A superclass of each class, by name or number, as the tensor that the measures take.

    Raises:
        UserError: They are not as many as the classes, or compare nothing.
    """
    if len(names) != classes:
        raise UserError(f"superclasses: {len(names)} are given for {classes} classes.")
    known = sorted(set(names), key=str)
    if not 1 < len(known) < classes:
        raise UserError(
            f"superclasses: {len(known)} of {classes} classes compare nothing; there must be at "
            "least two, and one with two classes."
        )
    return torch.tensor([known.index(name) for name in names])
