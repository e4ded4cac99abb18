"""Every loss against `tests/reference_values`; drop in a file to add a method."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cls_kd import losses
from cls_kd.modules import IPWDWeight

from . import reference
from .reference import FILES, Reference, renamed

# Losses for which there are no such numbers: where they are checked.
BY_HAND = {
    "EmbeddingRegressionLoss": "test_foundation_losses.py",
    "MultiLabelKDLoss": "test_foundation_losses.py",
    "InstanceCRDLoss": "test_foundation_losses.py",
    "PatchRegressionLoss": "test_foundation_losses.py",
    "QueueSimilarityLoss": "test_foundation_losses.py",
    "UNICLoss": "test_foundation_losses.py",
    "UNICPatchLoss": "test_foundation_losses.py",
    "CRDLoss": "test_crd.py",
    "ClassTokenTaskLoss": "test_token_losses.py",
    "DistillationTokenLoss": "test_token_losses.py",
    "CWTMLoss": "test_self_losses.py",
    "DGKDLoss": "test_several_teachers.py",
    "DKPPLoss": "test_self_losses.py",
    "DLBLoss": "test_self_losses.py",
    "EveryViewLoss": "test_logit_methods.py",
    "EnsembleDistillationLoss": "test_online_losses.py",
    "EnsembleTaskLoss": "test_online_losses.py",
    "FeatureMSELoss": "test_feature_losses.py",
    "FitNetLoss": "test_feature_losses.py",
    "IPWDLoss": "test_ipwd.py",
    "IPWDSelfLoss": "test_ipwd.py",
    "LabelSmoothingLoss": "test_self_losses.py",
    "OFAExitsLoss": "test_ofa_exits.py",
    "OFATokenExitsLoss": "test_ofa_exits.py",
    "PSKDLoss": "test_self_losses.py",
    "PeerTaskLoss": "test_online_losses.py",
    "ScaleKDLoss": "test_scalekd.py",
    "SRRLLoss": "test_feature_losses.py",
    "MGDLoss": "test_feature_losses.py",
    "TaskLoss": "test_logit_losses.py",
    "USKDLoss": "test_uskd.py",
    "USKDTokenLoss": "test_uskd.py",
    "ViTKDLoss": "test_vitkd.py",
    "ViewTaskLoss": "test_self_losses.py",
}
# Files that need more than a call of the loss: the tests that read them.
APART: dict[str, str] = {
    "byot": "test_self_teachers.py",
    "frskd": "test_self_teachers.py",
    "mixskd": "test_self_teachers.py",
    "ols": "test_soft_labels.py",
    "sd_dropout": "test_self_teachers.py",
    "zipf": "test_soft_labels.py",
    "cc": "test_relation_losses.py",
    "hsakd": "test_rotations.py",
    "sskd": "test_rotations.py",
    "sp": "test_relation_losses.py",
    "crld": "test_logit_methods.py",
    "ca_mkd_feature": "test_several_teachers.py",
    "ctkd": "test_logit_methods.py",
    "deepkd": "test_logit_methods.py",
    "ft": "test_ft.py",
    "ofd": "test_ofd.py",
    "ofd_margin": "test_ofd.py",
    "reviewkd": "test_reviewkd.py",
    "simkd_projector": "test_simkd.py",
    "sld": "test_logit_methods.py",
    "wkd_logit": "test_logit_methods.py",
    "diffkd": "test_diffkd.py",
    "fcfd_appearance": "test_fcfd.py",
    "manifold": "test_token_losses.py",
    "nd": "test_direct_norm.py",
    "vkd": "test_token_losses.py",
}
# The beginning of the reference's names of signals to ours.
SIGNALS: dict[str, dict[str, str]] = {
    **{
        method: {"teacher_logits": "all_teacher_logits"}
        for method in ("aekd", "aver_mkd", "ca_mkd_logit", "ebkd")
    },
    "cumulative_spatial": {
        "student_dense_logits": "student_normed_tokens",
        "teacher_dense_logits": "teacher_feature",
    },
    "afd": {
        "student_stages": "student_block_maps",
        "teacher_stages": "teacher_block_maps",
    },
    "norm": {"student_feature": "student_expanded_feature"},
    "simkd": {"student_feature": "student_projected"},
    "vid": {"student_feature": "student_stages.0", "teacher_feature": "teacher_stages.0"},
}
# AFD's layers, linear and batch norm; biases without an effect are left out of ours.
LAYERS = {
    **{f"s.key_layer.{stage}": f"keys.{stage}" for stage in range(3)},
    **{f"t.query_layer.{stage}": f"queries.{stage}" for stage in range(2)},
    "s.bilinear": "bilinear",
}
# The beginning of the reference's names of learned parts and memory to ours.
PARTS: dict[str, dict[str, str | None]] = {
    "afd": {
        "attention.p_t": "attention.teacher_positions",
        "attention.p_s": "attention.student_positions",
        **{
            f"attention.linear_trans_{theirs}.{entry}": index and f"attention.{ours}.{index}"
            for theirs, ours in LAYERS.items()
            for entry, index in (("linear.weight", "0.weight"), ("linear.bias", None), ("bn", "1"))
        },
        "attention.linear_trans_s.bilinear.bn.bias": None,
    },
    "vid": {"": "gaussians.0."},
    "itrd": {"embed_": "embed."},
    "rrd": {
        "embed_s_": "student_embed.linear.",
        "embed_t_": "teacher_embed.",
        "queue": "queue.rows",
        "pointer": "queue.pointer",
    },
    # A bias has no effect before batch normalization.
    "srd": {"embed_weight": "projector.weight", "embed_bias": None},
    "srd_correlation": {"embed_weight": "projector.weight", "embed_bias": None},
    "semckd": {
        **{f"query_{stage}": f"queries.{stage}" for stage in range(3)},
        **{f"key_{stage}": f"keys.{stage}" for stage in range(2)},
        **{f"regressor{i}{j}.regressor": f"connectors.{i}.{j}" for i in range(3) for j in range(2)},
    },
    "pefd": {f"{index}.linear": f"projectors.{index}" for index in range(3)},
}
# Learned parts that the reference's values leave out: what they act on is given.
LEFT_OUT: dict[str, tuple[str, ...]] = {
    "cumulative_spatial": ("dense_head",),
    "scalekd": ("spatial_projector", "frequency_projector"),
    "wkd_feature": ("connector",),
}
# Where options differ: the reference's arguments to ours.
ARGUMENTS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "normkd": lambda args: {"loss": {"type": "KDLoss", **args}},
    "normkd_dkd": lambda args: {"loss": {**args["loss"], "temperature": args["temperature"]}},
    "norm": lambda args: {},
    "scalekd": lambda args: {**args, "num_heads": 2},
    "semckd": lambda args: {
        "batch_size": 8,
        "factor": args["factor"],
        "temperature": args["softness"],
    },
}
# Names of classes that differ, and parts of losses with values of their own.
CLASSES: dict[str, Any] = {"IPWDWeight": IPWDWeight}


def method(file: Path) -> str:
    return file.stem.rsplit("-", 1)[0]


def loss_class(read: Reference) -> Any:
    name = read.meta["type"]
    return CLASSES.get(name) or losses.LOSSES[name]


def test_every_loss_has_values_or_a_check_by_hand() -> None:
    classes = {loss_class(reference.read(file)) for file in FILES if method(file) not in APART}
    with_values = {cls.__name__ for cls in classes} - {"IPWDWeight"}
    folder = Path(__file__).parent
    apart = {name for file in APART.values() for name in losses.LOSSES if name in _text(file)}
    assert with_values.isdisjoint(BY_HAND)
    assert with_values | set(BY_HAND) | apart >= set(losses.LOSSES)
    for name, file in BY_HAND.items():
        assert name in (folder / file).read_text()
    for name, file in APART.items():
        assert f'"{name}' in _text(file), f"{file} reads no file of {name}"
    mapped = {*APART, *ARGUMENTS, *SIGNALS, *PARTS, *LEFT_OUT}
    assert {method(file) for file in FILES} >= mapped


def _text(file: str) -> str:
    return (Path(__file__).parent / file).read_text()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize(
    "file", [f for f in FILES if method(f) not in APART], ids=lambda file: file.stem
)
def test_value_and_gradients(file: Path, dtype: torch.dtype) -> None:
    read = reference.read(file)
    leaves = read.leaves(dtype)
    names = SIGNALS.get(method(file), {})
    signals = reference.as_signals({str(renamed(k, names)): v for k, v in leaves.items()})
    arguments = ARGUMENTS.get(method(file), dict)(read.meta["args"])
    loss = loss_class(read)(**arguments)
    parameters: dict[str, Tensor] = {}
    if isinstance(loss, losses.DistillLoss):
        signals |= read.classifiers(dtype, loss.signals)
        parameters = reference.build(loss, read, signals, PARTS.get(method(file), {}))
        for part in LEFT_OUT.get(method(file), ()):
            setattr(loss, part, nn.Identity())
        loss.to(dtype)

    result = loss(**signals)

    reference.assert_reproduced(result, read, leaves, dtype, parameters)
