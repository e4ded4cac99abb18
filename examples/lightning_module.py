"""A LightningModule around the distiller: a small network learns digits from a larger one.

    python examples/lightning_module.py

Needs `pip install cls_kd[examples,digits]`; nothing is downloaded. Some seconds on a CPU.
"""

import argparse
from collections.abc import Sequence

import lightning
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import cls_kd
from cls_kd.losses import KDLoss, TaskLoss


class Distillation(lightning.LightningModule):
    """Trains the student of a distiller; checkpoints hold the student and no teacher."""

    def __init__(self, distiller: cls_kd.Distiller, lr: float = 0.1) -> None:
        super().__init__()
        self.distiller = distiller
        self.lr = lr

    def on_train_start(self) -> None:
        time = self.distiller.time
        time.max_epochs = self.trainer.max_epochs
        time.max_steps = int(self.trainer.estimated_stepping_batches)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        self.distiller.time.epoch = self.current_epoch
        self.distiller.time.step = self.global_step
        terms = self.distiller.loss(*batch)
        self.log_dict(terms)
        return self.distiller.total(terms)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        images, labels = batch
        classes = self.distiller.student(images).argmax(dim=1)
        self.log("accuracy", 100 * (classes == labels).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.distiller.parameters(), lr=self.lr, momentum=0.9)


def network(width: int) -> nn.Module:
    block = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())
    return nn.Sequential(block, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * width, 10))


def fit(
    distiller: cls_kd.Distiller, train: DataLoader, test: DataLoader, epochs: int
) -> dict[str, float]:
    trainer = lightning.Trainer(
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    module = Distillation(distiller)
    trainer.fit(module, train, test)
    (figures,) = trainer.validate(module, test, verbose=False)
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    epochs = parser.parse_args(arguments).epochs
    lightning.seed_everything(0)
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 8 - 1
    labels = torch.tensor(digits.target)
    train = DataLoader(TensorDataset(images[:1200], labels[:1200]), 64, shuffle=True)
    test = DataLoader(TensorDataset(images[1200:], labels[1200:]), 597)

    teacher, student = network(64), network(4)
    alone = cls_kd.Distiller(teacher, {"ce": TaskLoss()}, input_shape=(1, 8, 8))
    print(f"teacher  {fit(alone, train, test, epochs)['accuracy']:.1f} %")
    losses = {"ce": TaskLoss(), "kd": KDLoss(temperature=4.0)}
    distiller = cls_kd.Distiller(student, losses, teacher, input_shape=(1, 8, 8))
    print(f"student  {fit(distiller, train, test, epochs)['accuracy']:.1f} %")


if __name__ == "__main__":
    main()
