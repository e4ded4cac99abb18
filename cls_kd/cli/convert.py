"""``cls-kd convert``: published checkpoints of RepDistiller, mdistiller, torchvision and timm."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from torch import nn

from cls_kd.cli.options import add_config_options
from cls_kd.distillers.convert import convert_file
from cls_kd.distillers.networks import build_network
from cls_kd.engine.compat import prepare_process
from cls_kd.errors import UserError
from cls_kd.runs import apply_options, read_config
from cls_kd.runs.config_names import find_config, is_packaged

EXAMPLES = (
    "cls-kd convert networks/cifar_resnet56 ckpt_epoch_240.pth ours.pth",
    "cls-kd convert configs/networks/cifar_vgg8.py latest vgg8.safetensors --part student",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "network",
        help="a config with one network, the name of a packaged one (networks/cifar_vgg8), or a "
        "name of mmpretrain's",
    )
    parser.add_argument("source", help="path or URL of the published file")
    parser.add_argument("out", help="ends in .pth or .safetensors; a file of that name is replaced")
    parser.add_argument(
        "--part",
        choices=["student", "teacher"],
        default="student",
        help="which one, of a file that holds both (default: student)",
    )
    add_config_options(parser)


def run(args: argparse.Namespace) -> None:
    """Convert."""
    prepare_process()
    network = _network(args.network, args.cfg_options or {})
    print(convert_file(args.source, network, args.out, args.part))


def _network(network: str, options: Mapping[str, Any]) -> nn.Module:
    if not network.endswith(".py") and not is_packaged(network):
        if options:
            raise UserError("--cfg-options change a config; a network given by name has none.")
        return build_network(network)
    cfg = read_config(find_config(network))
    apply_options(cfg, options)
    if "model" in cfg:
        return build_network(cfg.model.get("student", cfg.model))
    networks = [value for value in cfg.values() if isinstance(value, Mapping) and "type" in value]
    if len(networks) != 1:
        raise UserError(f"{network} holds {len(networks)} networks; name a config that holds one.")
    return build_network(networks[0])
