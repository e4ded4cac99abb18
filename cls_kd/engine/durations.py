"""Durations as text."""

from __future__ import annotations

from datetime import timedelta


def duration_text(seconds: float) -> str:
    """Hours, minutes and seconds: ``0:01:38``."""
    return str(timedelta(seconds=round(seconds)))
