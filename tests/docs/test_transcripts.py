"""The comparison of transcripts says no whenever psql answered something else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.transcripts import play, same_answer, same_line, steps

TRANSCRIPT = """\
=> select 1 as one,
->   'b' as letter;
 one | letter
-----+--------
   1 | b
(1 row)

=> select 1 / 0;
ERROR:  division by zero
"""


def test_a_transcript_is_cut_at_its_prompts() -> None:
    first, second = steps(TRANSCRIPT)
    assert first.typed == "select 1 as one,\n  'b' as letter;"
    assert first.answer[-1] == "(1 row)"
    assert second == ("select 1 / 0;", ["ERROR:  division by zero"])


def test_what_psql_answers_is_the_answer(dsn: Callable[..., str]) -> None:
    expected = steps(TRANSCRIPT)
    answers = play([step.typed for step in expected], dsn())
    assert all(same_answer(step.answer, answer) for step, answer in zip(expected, answers, strict=True))


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        (" one | letter", " one | Letter"),
        ("   1 | b", "   2 | b"),
        ("   1 | b", "   1 | …c"),
        ("   1 | b", "   1 |"),
        ("(1 row)", "(2 rows)"),
        ("(1 row)\n", "(1 row)\nNOTICE:  more\n"),
        ("   1 | b\n", ""),
        ("ERROR:  division by zero", "ERROR:  division"),
        ("ERROR:  division by zero", ""),
        ("-----+--------", "--------------"),
    ],
)
def test_another_answer_is_not_the_same(line: str, instead: str, dsn: Callable[..., str]) -> None:
    wrong = steps(TRANSCRIPT.replace(line, instead))
    answers = play([step.typed for step in wrong], dsn())
    assert not all(same_answer(step.answer, answer) for step, answer in zip(wrong, answers, strict=True))


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        (" a | b", " a    | b  ", True),
        ("---+---", "------+--", True),
        ("---", "-----", True),
        ("---+---", "--------", False),
        (" … | b", " 2026-01-01 10:00:00+00 | b", True),
        (" … | b", " a | b | c", False),
        (' held until "…" by b', ' held until "10:00" by b', True),
        (' held until "…" by b', ' held until "10:00" by c', False),
        (" .*", " a", False),
        (" A", " a", False),
        (" a b", " a  b", False),
    ],
)
def test_a_line_is_compared_by_cells(expected: str, actual: str, same: bool) -> None:
    assert same_line(expected, actual) is same


def test_a_transcript_that_does_not_begin_with_a_prompt_is_none() -> None:
    with pytest.raises(AssertionError, match="begins with"):
        steps("select 1;\n")


def test_a_statement_that_is_not_ended_has_no_answer(dsn: Callable[..., str]) -> None:
    assert play(["select 1"], dsn()) == [[]]
