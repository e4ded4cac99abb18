#!/usr/bin/env python
"""The command ``cls-kd convert``, for those who are used to a folder of tools."""

import sys

from cls_kd.cli import main

if __name__ == "__main__":
    main(["convert", *sys.argv[1:]])
