"""Probes: how well classes can be told from embeddings, by scikit-learn, of labeled images."""

from __future__ import annotations

import numpy as np
import torch
from torchmetrics.functional.classification import multiclass_accuracy

from cls_kd.errors import UserError
from cls_kd.registry import METRICS


class Probe:
    """A classifier that is fitted to the embeddings of labeled images.

    Attributes:
        name: Begins the keys of its results.
    """

    name = ""

    def classifier(self, images: int) -> object:
        """A classifier of scikit-learn's.

        Args:
            images: Number of the labeled images.
        """
        raise NotImplementedError

    def __call__(
        self,
        embeddings: np.ndarray,
        labels: np.ndarray,
        queries: np.ndarray,
        query_labels: np.ndarray,
    ) -> dict[str, float]:
        """Top-1 accuracy on other images, in %.

        Args:
            embeddings: Of the labeled images, (M, D).
            labels: Their labels, (M,).
            queries: Embeddings of the other images, (N, D).
            query_labels: Their labels, (N,).
        """
        fitted = self.classifier(len(embeddings)).fit(embeddings, labels)  # type: ignore[attr-defined]
        predicted = torch.from_numpy(fitted.predict(queries))
        truth = torch.from_numpy(query_labels)
        classes = 1 + int(max(labels.max(), query_labels.max()))
        accuracy = multiclass_accuracy(predicted, truth, classes, average="micro")
        return {f"{self.name}/top1": 100 * accuracy.item()}


@METRICS.register_module()
class KNNProbe(Probe):
    """The nearest neighbors by the cosine of embeddings, each weighted by its cosine distance.

    Args:
        neighbors: Number of neighbors; all images where there are fewer. Default: 20.
    """

    name = "knn"

    def __init__(self, neighbors: int = 20) -> None:
        if not isinstance(neighbors, int) or neighbors < 1:
            raise UserError(
                f"KNNProbe: neighbors must be a whole number above 0, not {neighbors!r}."
            )
        self.neighbors = neighbors

    def classifier(self, images: int) -> object:
        """Neighbors of unit vectors; no fit but the images themselves."""
        from sklearn.neighbors import KNeighborsClassifier

        return KNeighborsClassifier(
            min(self.neighbors, images), metric="cosine", weights="distance", algorithm="brute"
        )


@METRICS.register_module()
class LinearProbe(Probe):
    """Logistic regression on standardized embeddings.

    Args:
        c: Inverse of the regularization's strength. Default: scikit-learn's.
        max_iter: Limit of the solver's iterations. Default: 1000.
    """

    name = "linear_probe"

    def __init__(self, c: float = 1.0, max_iter: int = 1000) -> None:
        if not c > 0 or max_iter < 1:
            raise UserError(
                f"LinearProbe: c and max_iter must be above 0, not {c!r}, {max_iter!r}."
            )
        self.c = c
        self.max_iter = max_iter

    def classifier(self, images: int) -> object:
        """Standardization and regression in one."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(StandardScaler(), LogisticRegression(C=self.c, max_iter=self.max_iter))
