"""Knowledge distillation in a plain PyTorch loop: a small network learns digits from a larger one.

    python examples/plain_pytorch.py

Needs scikit-learn for the images; nothing is downloaded. About ten seconds on a CPU.
"""

import argparse
from collections.abc import Sequence

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import cls_kd
from cls_kd.losses import FitNetLoss, KDLoss, TaskLoss


def network(width: int) -> nn.Module:
    stages = [(1, width), (width, 2 * width)]
    layers = [
        nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2))
        for a, b in stages
    ]
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, 10))
    model = nn.Sequential(*layers, head)
    model.taps = {"stages": ("0", "1")}  # where the feature maps of the stages are
    return model


def fit(distiller: cls_kd.Distiller, loader: DataLoader, epochs: int) -> None:
    optimizer = torch.optim.SGD(distiller.parameters(), lr=0.1, momentum=0.9)
    distiller.time.max_steps = epochs * len(loader)
    for epoch in range(epochs):
        distiller.time.epoch = epoch
        for images, labels in loader:
            loss = distiller.total(distiller.loss(images, labels))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            distiller.time.step += 1


def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    with torch.no_grad():
        return 100 * (model.eval()(images).argmax(1) == labels).float().mean().item()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=60, help="of the students' training")
    epochs = parser.parse_args(arguments).epochs
    torch.manual_seed(0)
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 8 - 1
    labels = torch.tensor(digits.target)
    test = images[1200:], labels[1200:]
    everything = DataLoader(TensorDataset(images[:1200], labels[:1200]), 64, shuffle=True)
    few = DataLoader(TensorDataset(images[:100], labels[:100]), 20, shuffle=True)

    teacher = network(32)
    distiller = cls_kd.Distiller(teacher, {"ce": TaskLoss()}, input_shape=(1, 8, 8))
    fit(distiller, everything, epochs=5)
    print(f"teacher  {accuracy(teacher, *test):.1f} %")
    methods = {
        "student": {"ce": TaskLoss()},
        "kd": {"ce": cls_kd.Term(TaskLoss(), 0.1), "kd": cls_kd.Term(KDLoss(temperature=4.0), 0.9)},
        "fitnet": {"ce": TaskLoss(), "fitnet": FitNetLoss(stage=1)},
    }
    for name, losses in methods.items():
        torch.manual_seed(1)
        student = network(4)
        fit(cls_kd.Distiller(student, losses, teacher, input_shape=(1, 8, 8)), few, epochs)
        print(f"{name:8} {accuracy(student, *test):.1f} %")


if __name__ == "__main__":
    main()
