"""Fixtures of the tests of the SQL functions."""

from support.fixtures import api, define, purchase

__all__ = ["api", "define", "purchase"]
