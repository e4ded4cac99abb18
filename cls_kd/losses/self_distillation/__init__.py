"""Losses by which a student teaches itself."""
