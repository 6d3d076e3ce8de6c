"""Transcripts of psql, as the pages show them: what is typed behind ``=> ``, what psql answers below it.

``=> `` begins what is typed, ``-> `` continues it, and all lines up to the next ``=> `` are the answer: what psql
prints with nothing set but SHOW_CONTEXT (never), an error with its DETAIL and HINT. It is compared line by line:

* blanks at the end of a line, and empty lines at the end of the answer, do not count;
* a line is cut into cells at ``|``, and blanks around a cell do not count, nor does the length of the dashes below
  the headings: so the width of a column may be another;
* ``…`` stands for any text within a cell. It is for what differs from run to run: times, tokens, cursors.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from support.run import psql_program

PROMPT, CONTINUED = "=> ", "-> "
ANY = "…"
_END = "\x02end of an answer\x02"


class Step(NamedTuple):
    """What is typed, and what is answered."""

    typed: str
    answer: list[str]


def steps(text: str) -> list[Step]:
    """Cut a transcript into its steps."""
    found: list[Step] = []
    for line in text.splitlines():
        if line.startswith(PROMPT):
            found.append(Step(line.removeprefix(PROMPT), []))
            continue
        assert found, f"a transcript begins with {PROMPT!r}, not with {line!r}"
        last = found[-1]
        if line.startswith(CONTINUED) and not last.answer:
            found[-1] = Step(f"{last.typed}\n{line.removeprefix(CONTINUED)}", [])
        else:
            last.answer.append(line)
    return [Step(step.typed, trimmed(step.answer)) for step in found]


def trimmed(lines: Sequence[str]) -> list[str]:
    """Return the lines without blanks at their ends and without empty lines at the end of all."""
    return "\n".join(line.rstrip() for line in lines).rstrip().splitlines()


def same_line(expected: str, actual: str) -> bool:
    """Tell whether a line is answered as it is expected."""
    if _is_rule(expected) and _is_rule(actual):
        return expected.count("+") == actual.count("+")
    wanted, got = ([cell.strip() for cell in line.split("|")] for line in (expected, actual))
    return len(wanted) == len(got) and all(map(_same_cell, wanted, got))


def same_answer(expected: Sequence[str], actual: Sequence[str]) -> bool:
    """Tell whether all lines are answered as they are expected."""
    wanted, got = trimmed(expected), trimmed(actual)
    return len(wanted) == len(got) and all(map(same_line, wanted, got))


def play(typed: Sequence[str], dsn: str) -> list[list[str]]:
    """Type that into one psql, one after the other, and return the answers. Messages come before results."""
    program = psql_program()
    assert program is not None, "psql is neither beside the server's programs nor on PATH"
    script = "\\set SHOW_CONTEXT never\n" + "".join(f"{one}\n\\echo {_END}\n\\warn {_END}\n" for one in typed)
    done = subprocess.run(
        [program, "--no-psqlrc", "-d", dsn], input=script, text=True, capture_output=True, timeout=120, check=False,
        env={**os.environ, "LC_ALL": "C", "PGCLIENTENCODING": "UTF8"}, encoding="utf-8",
    )  # fmt: skip
    results, messages = done.stdout.split(f"{_END}\n"), done.stderr.split(f"{_END}\n")
    assert len(results) == len(messages) == len(typed) + 1, f"not all of it was run:\n{done.stdout}\n{done.stderr}"
    return [
        trimmed([*said.splitlines(), *result.splitlines()])
        for result, said in zip(results[:-1], messages[:-1], strict=True)
    ]


def _is_rule(line: str) -> bool:
    return re.fullmatch(r"-+(\+-+)*", line.strip()) is not None


def _same_cell(expected: str, actual: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, expected.split(ANY))), actual) is not None
