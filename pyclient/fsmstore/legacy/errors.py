"""What can be wrong with a source as a whole; what is wrong with one session is a problem of its item."""

from __future__ import annotations


class SourceUnreadable(Exception):
    """A source cannot be read, or not to its end; the message says which, where and why."""


class NotPlain(Exception):
    """One stored value cannot be turned into JSON; `problem` is the code that its item carries."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
