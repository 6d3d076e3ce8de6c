"""Fixtures of the races."""

from support.fixtures import api, define, purchase
from support.race import race

__all__ = ["api", "define", "purchase", "race"]
