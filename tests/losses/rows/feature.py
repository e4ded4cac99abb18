"""Rows of the losses of feature maps and embeddings. A new loss adds one."""

from __future__ import annotations

from .row import Row, scale_all

ROWS: dict[str, Row] = {
    "EmbeddingRegressionLoss": Row(
        invariant={"teacher_embedding": [scale_all]},
        wrong=({"distance": "cosin"}, {"head": "conv"}),
    ),
    "PatchRegressionLoss": Row(
        invariant={"teacher_feature": [scale_all]},
        wrong=({"distance": "cosin"}, {"head": "conv"}),
    ),
    "FitNetLoss": Row(),
    "ATLoss": Row(zero_at_equality=True, wrong=({"p": 0},)),
    "SRRLLoss": Row(wrong=({"alpha": -1}, {"beta": -1})),
    "ICKDLoss": Row(),
    "NSTLoss": Row(),
    "FSPLoss": Row(wrong=({"stages": (-1,)},)),
    "KDSVDLoss": Row(
        wrong=({"k": 0}, {"stages": (0,)}), waits="The decomposition reads its error code."
    ),
    "HCLLoss": Row(),
    "FeatureMSELoss": Row(),
    "OFDLoss": Row(),
    "ABLoss": Row(wrong=({"margin": 0},)),
    "ReviewKDLoss": Row(wrong=({"mid_channels": 0},)),
    "FTLoss": Row(
        wrong=({"beta": -1}, {"rate": 0}, {"rate": 1.5}, {"p1": 0}, {"p2": 0}, {"start": 2})
    ),
    "AFDLoss": Row(
        args={"qk_dim": 4}, wrong=({"qk_dim": 0}, {"teacher_step": 0}, {"teacher_step": 4})
    ),
    "SimKDLoss": Row(),
    "VIDLoss": Row(wrong=({"init_variance": 0}, {"eps": 0}, {"init_variance": 1e-6})),
    "MGDLoss": Row(wrong=({"mask_ratio": -0.1}, {"mask_ratio": 1})),
    "PEFDLoss": Row(wrong=({"projectors": 0},)),
    "WKDFeatureLoss": Row(
        wrong=(
            {"mean_weight": -1},
            {"grid": 0},
            {"eps": 0},
            {"bottleneck": 0},
            {"grid": 4},
            {"grid": 5},
        ),
    ),
    "CATLoss": Row(wrong=({"resolution": 0},)),
    "FCFDLoss": Row(
        args={"paths": 4},
        wrong=(
            {"paths": 0},
            {"paths": 5},
            {"temperature": 0},
            {"path_weight": -1},
            {"appearance_weight": -1},
            {"warmup_epochs": 0},
        ),
    ),
    "ScaleKDLoss": Row(
        args={"stage_num_heads": 7},
        wrong=(
            {"spatial_weight": -1},
            {"frequency_weight": -1},
            {"num_heads": 3},
            {"stage_num_heads": 2},
            {"softmax_scale": 0},
        ),
    ),
    "ScaleKDFeatureLoss": Row(
        wrong=(
            {"spatial_weight": -1},
            {"frequency_weight": -1},
            {"num_heads": 3},
            {"softmax_scale": 0},
        ),
    ),
    "DiffKDLoss": Row(
        args={"autoencoder_channels": 4},
        wrong=({"autoencoder_channels": 0}, {"inference_steps": 0}, {"train_steps": 15}),
    ),
    "NORMLoss": Row(),
    "DirectNormLoss": Row(wrong=({"dropout": 1.0}, {"dropout": -0.1})),
    "SemCKDLoss": Row(
        args={"batch_size": 16},
        wrong=({"batch_size": 0}, {"batch_size": 2}, {"factor": 0}, {"temperature": 0}),
    ),
}
