#!/usr/bin/env python
"""Write made-up images in the format of a known data set, for a machine without the data.

python tools/make_synthetic.py cifar100 data/cifar100
python tools/make_synthetic.py cifar10 data/cifar10 --train 5000 --test 1000
python tools/make_synthetic.py folders data/imagenet --classes 1000 --size 64
"""

from __future__ import annotations

import argparse
from pathlib import Path

from cls_kd.cli.failures import run_tool
from cls_kd.data import synthetic

WRITERS = {
    "cifar10": (synthetic.write_cifar10, 50000, 10000),
    "cifar100": (synthetic.write_cifar100, 50000, 10000),
    "cinic10": (synthetic.write_cinic10, 9000, 9000),
    "folders": (synthetic.write_folders, 5000, 1000),
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("format", choices=WRITERS)
    parser.add_argument("root", type=Path, help="the data_root of configs; made if need be")
    parser.add_argument("--train", type=int, metavar="N", help="training images, in all")
    parser.add_argument("--test", type=int, metavar="N", help="test (or validation) images, in all")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--classes", type=int, help="of folders; default: 100")
    parser.add_argument("--size", type=int, help="height and width, of folders; default: 64")
    args = parser.parse_args()
    chosen = {name: getattr(args, name) for name in ("classes", "size")}
    args.options = {name: value for name, value in chosen.items() if value is not None}
    if args.options and args.format != "folders":
        parser.error(f"--{next(iter(args.options))} is for folders; {args.format} has its own")
    if args.seed < 0 or any(value < 1 for value in args.options.values()):
        parser.error("--seed must not be negative; --classes and --size must be positive")
    return args


def main() -> None:
    args = parse_args()
    write, train, test = WRITERS[args.format]
    train = train if args.train is None else args.train
    test = test if args.test is None else args.test
    write(args.root, train=train, test=test, seed=args.seed, **args.options)
    print(f"Wrote made-up {args.format} to {args.root}.")
    if args.format.startswith("cifar"):
        print("They are read with checksum=False in the data sets' configs.")


if __name__ == "__main__":
    run_tool(main)
