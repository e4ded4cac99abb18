"""Losses on tokens of vision transformers."""
