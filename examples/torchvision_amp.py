"""torchvision's networks in mixed precision: a MobileNetV3 learns digits from a ResNet-18.

    python examples/torchvision_amp.py

Networks run in bfloat16 under autocast, losses compute in float32. On a GPU where there is one.
Needs scikit-learn for the images; nothing is downloaded. Some minutes on a CPU.
"""

import argparse
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision.models import mobilenet_v3_small, resnet18

import cls_kd
from cls_kd.losses import ATLoss, KDLoss, TaskLoss

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """All images as RGB of 32 x 32 pixels, and their labels."""
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32)[:, None] / 8 - 1
    return F.interpolate(images, size=32).expand(-1, 3, -1, -1), torch.tensor(data.target)


def fit(distiller: cls_kd.Distiller, loader: DataLoader, epochs: int) -> None:
    optimizer = torch.optim.SGD(distiller.parameters(), lr=0.02, momentum=0.9)
    distiller.to(DEVICE).train()
    for epoch in range(epochs):
        distiller.time.epoch = epoch
        for images, labels in loader:
            with torch.autocast(DEVICE, torch.bfloat16):
                loss = distiller.total(distiller.loss(images.to(DEVICE), labels.to(DEVICE)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    with torch.inference_mode(), torch.autocast(DEVICE, torch.bfloat16):
        classes = model.eval()(images.to(DEVICE)).argmax(dim=1).cpu()
    return 100 * (classes == labels).float().mean().item()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--images", type=int, default=1200, help="number of training images")
    options = parser.parse_args(arguments)
    torch.manual_seed(0)
    images, labels = digits()
    train = TensorDataset(images[: options.images], labels[: options.images])
    loader = DataLoader(train, batch_size=32, shuffle=True, drop_last=True)
    test = images[1200:], labels[1200:]

    teacher, student = resnet18(num_classes=10), mobilenet_v3_small(num_classes=10)
    alone = cls_kd.Distiller(teacher, {"ce": TaskLoss()}, input_shape=(3, 32, 32))
    fit(alone, loader, options.epochs)
    print(f"ResNet-18    {accuracy(teacher, *test):.1f} %")

    losses = {
        "ce": TaskLoss(),
        "kd": KDLoss(temperature=4.0),
        # Stages of both at strides 4 and 8; channels may differ, attention maps have none.
        "at": cls_kd.Term(ATLoss(stages=(0, 1)), weight=100.0),
    }
    fit(cls_kd.Distiller(student, losses, teacher, input_shape=(3, 32, 32)), loader, options.epochs)
    print(f"MobileNetV3  {accuracy(student, *test):.1f} %")


if __name__ == "__main__":
    main()
