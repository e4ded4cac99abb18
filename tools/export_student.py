#!/usr/bin/env python
"""The command ``cls-kd export``, for those who are used to a folder of tools."""

import sys

from cls_kd.cli import main

if __name__ == "__main__":
    main(["export", *sys.argv[1:]])
