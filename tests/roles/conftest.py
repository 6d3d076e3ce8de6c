"""Fixtures of the tests of who may do what."""

from support.fixtures import api, define, purchase

__all__ = ["api", "define", "purchase"]
