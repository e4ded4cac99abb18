#!/usr/bin/env python
"""Convert a published checkpoint to the names of our networks: RepDistiller, mdistiller, and more.

python tools/convert_checkpoint.py configs/networks/cifar_resnet56.py ckpt_epoch_240.pth ours.pth
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.registry import init_default_scope
from torch import nn

from cls_kd.distillers.convert import convert_file
from cls_kd.distillers.networks import build_network
from cls_kd.engine.cli import add_config_options, run_tool
from cls_kd.errors import UserError
from cls_kd.runs.compose import apply_options, read_config


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", help="a config with one network, or a name of mmpretrain's")
    parser.add_argument("source", help="path or URL of the published file")
    parser.add_argument("out", help="ends in .pth or .safetensors; a file of that name is replaced")
    parser.add_argument(
        "--part",
        choices=["student", "teacher"],
        default="student",
        help="which one, of a file that holds both (default: student)",
    )
    add_config_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    init_default_scope("cls_kd")
    network = build(args.network, args.cfg_options or {})
    print(convert_file(args.source, network, args.out, args.part))


def build(network: str, options: Mapping[str, Any]) -> nn.Module:
    if not network.endswith(".py"):
        if options:
            raise UserError("--cfg-options change a config; a network given by name has none.")
        return build_network(network)
    cfg = read_config(Path(network))
    apply_options(cfg, options)
    if "model" in cfg:
        return build_network(cfg.model.get("student", cfg.model))
    found = [value for value in cfg.values() if isinstance(value, Mapping) and "type" in value]
    if len(found) != 1:
        raise UserError(f"{network} holds {len(found)} networks; name a config that holds one.")
    return build_network(found[0])


if __name__ == "__main__":
    run_tool(main)
