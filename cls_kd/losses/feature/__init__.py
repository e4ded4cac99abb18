"""Losses on feature maps."""
