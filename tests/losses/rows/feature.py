"""Rows of the losses of feature maps and embeddings. A new loss adds one."""

from __future__ import annotations

from .row import Row

ROWS: dict[str, Row] = {
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
    "AFDLoss": Row(args={"qk_dim": 4}, wrong=({"qk_dim": 0},)),
    "SimKDLoss": Row(),
    "VIDLoss": Row(wrong=({"init_variance": 0}, {"eps": 0}, {"init_variance": 1e-6})),
    "MGDLoss": Row(wrong=({"mask_ratio": -0.1}, {"mask_ratio": 1})),
}
