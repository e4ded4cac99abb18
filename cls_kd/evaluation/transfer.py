"""Linear transfer of a frozen embedding to other data."""

from __future__ import annotations

from torch import Tensor

from cls_kd.packages import require


def linear_transfer(
    train: Tensor, train_labels: Tensor, test: Tensor, test_labels: Tensor, strength: float = 1.0
) -> float:
    """Accuracy in percent of a logistic regression on standardized embeddings.

    Args:
        train: Embeddings that the classifier is fitted to, (N, D).
        train_labels: (N,).
        test: Embeddings that it is measured on, (M, D).
        test_labels: (M,).
        strength: Inverse of the weight of its L2 penalty, scikit-learn's ``C``.
    """
    require("sklearn", by="Transfer", install="scikit-learn")
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
    classifier.fit(train.double().numpy(), train_labels.numpy())
    return 100 * float(classifier.score(test.double().numpy(), test_labels.numpy()))
