"""Fixtures of the races."""

from support.fixtures import api, define, purchase

__all__ = ["api", "define", "purchase"]
