"""The command ``cls-kd``: one module for each of its commands.

Importing this package imports none of them, so that ``cls-kd --help`` answers at once.
"""

from cls_kd.cli.command_line import main

__all__ = ["main"]
