"""The faults that tools/mutate_client.py puts into the client are real, and its list of survivors is about them."""

from __future__ import annotations

from pathlib import Path

import pytest

from client_mutations import mutations
from mutate_client import ALLOWED, EVERY, EXPECTED, PACKAGE, allowed

SOURCE = '''
LIMIT = 3
KNOWN = {"a", "b"}


class Counter:
    """A docstring is left alone."""

    def add(self, number: int = 1) -> int:
        if number > LIMIT and not self.full:
            raise ValueError(number)
        try:
            self.total += number
        except (KeyError, TypeError):
            return 0
        with self.lock:
            self.write(number, again=True)
        return self.total
'''


def test_each_kind_of_fault(tmp_path: Path) -> None:
    path = tmp_path / "counter.py"
    path.write_text(SOURCE)
    found = mutations(path)
    whole = "self.write(number, again=True)"
    assert {one.key.removeprefix("counter.") for one in found} == {
        "<module>: 3 -> 4",
        "<module>: {'a', 'b'} -> {'a'}",
        "<module>: {'a', 'b'} -> {'b'}",
        "Counter.add: number > LIMIT and (not self.full) -> number > LIMIT or not self.full",
        "Counter.add: number > LIMIT -> number >= LIMIT",
        "Counter.add: not self.full -> self.full",
        "Counter.add: raise ValueError(number) -> nothing",
        "Counter.add: self.total += number -> nothing",
        "Counter.add: except (KeyError, TypeError): return 0 -> except without KeyError",
        "Counter.add: except (KeyError, TypeError): return 0 -> except without TypeError",
        "Counter.add: return 0 -> return None",
        "Counter.add: 0 -> 1",
        f"Counter.add: with self.lock: {whole} -> its body alone",
        f"Counter.add: {whole} -> nothing",
        f"Counter.add: {whole} -> self.write(number)",
        "Counter.add: True -> False",
        "Counter.add: return self.total -> return None",
    }
    for one in found:
        assert one.compiled(path).co_filename == str(path)
        assert one.line > 0


def test_every_module_is_there() -> None:
    assert {*EVERY, *EXPECTED} <= {path.stem for path in PACKAGE.glob("*.py")}


@pytest.mark.parametrize("key", allowed())
def test_what_is_allowed_to_survive_is_a_fault_that_is_made(key: str) -> None:
    assert key in {one.key for one in mutations(PACKAGE / f"{key.split('.')[0]}.py")}, ALLOWED
