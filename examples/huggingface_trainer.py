"""Hugging Face's Trainer: a small vision transformer learns digits from a larger one.

    python examples/huggingface_trainer.py

Needs `pip install cls_kd[examples,digits]`; nothing is downloaded. About two minutes on a CPU.
"""

import argparse
import tempfile
from collections.abc import Sequence
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor
from transformers import (
    EvalPrediction,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    ViTConfig,
    ViTForImageClassification,
)

import cls_kd
from cls_kd.losses import KDLoss, TaskLoss


class TrainingClock(TrainerCallback):
    """Tells the distiller the time, for losses and weights that depend on it."""

    def on_step_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        time = given["model"].time
        time.epoch, time.step, time.max_steps = int(state.epoch), state.global_step, state.max_steps


class DistillationTrainer(Trainer):
    """Trains the student of a distiller, which is given as `model`."""

    def compute_loss(
        self, model: Any, inputs: dict[str, Tensor], return_outputs: bool = False, **_: Any
    ) -> Any:
        images, labels = inputs["pixel_values"], inputs["labels"]
        loss = cls_kd.Distiller.total(model(images, labels))
        return (loss, {"logits": model(images).logits}) if return_outputs else loss


def network(width: int, layers: int) -> ViTForImageClassification:
    config = ViTConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=2 * width,
        image_size=8,
        patch_size=2,
        num_channels=1,
        num_labels=10,
    )
    return ViTForImageClassification(config)


def digits() -> list[dict[str, Tensor]]:
    data = load_digits()
    images = torch.tensor(data.images, dtype=torch.float32)[:, None] / 8 - 1
    labels = torch.tensor(data.target)
    return [dict(pixel_values=one, labels=two) for one, two in zip(images, labels, strict=True)]


def accuracy(prediction: EvalPrediction) -> dict[str, float]:
    classes = prediction.predictions.argmax(axis=1)
    return {"accuracy": 100 * float((classes == prediction.label_ids).mean())}


def fit(distiller: cls_kd.Distiller, epochs: float, folder: str) -> float:
    samples = digits()
    arguments = TrainingArguments(
        output_dir=folder,
        num_train_epochs=epochs,
        per_device_train_batch_size=64,
        per_device_eval_batch_size=597,
        learning_rate=2e-3,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        label_names=["labels"],
        remove_unused_columns=False,  # else what Distiller.forward does not name is dropped
        dataloader_pin_memory=torch.cuda.is_available(),
    )
    trainer = DistillationTrainer(
        model=distiller,
        args=arguments,
        train_dataset=samples[:1200],
        eval_dataset=samples[1200:],
        compute_metrics=accuracy,
        callbacks=[TrainingClock()],
    )
    trainer.train()
    return trainer.evaluate()["eval_accuracy"]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=float, default=10)
    epochs = parser.parse_args(arguments).epochs
    torch.manual_seed(0)
    teacher, student = network(64, layers=4), network(16, layers=2)
    with tempfile.TemporaryDirectory() as folder:
        alone = cls_kd.Distiller(teacher, {"ce": TaskLoss()}, input_shape=(1, 8, 8))
        print(f"teacher  {fit(alone, epochs, folder):.1f} %")
        losses = {"ce": TaskLoss(), "kd": KDLoss(temperature=2.0)}
        distiller = cls_kd.Distiller(student, losses, teacher, input_shape=(1, 8, 8))
        print(f"student  {fit(distiller, epochs, folder):.1f} %")
        student.save_pretrained(folder)  # a checkpoint of transformers, without the teacher


if __name__ == "__main__":
    main()
