"""Judging a canary: which values are asked for, how they are read, and whether they pass."""
