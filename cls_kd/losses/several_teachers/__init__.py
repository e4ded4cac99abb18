"""Losses that compare the student with each of several teachers."""
