"""Random arguments to every function: a refusal of ours or a sound database, and what is loaded is what was saved.

FSMSTORE_FUZZ=40 makes forty times as many examples.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.fuzzing import EXAMPLES, calls, json_objects
from support.hostile import Judge, refusal_problem
from support.hostile_calls import FUNCTIONS

# Of these every random call is refused at its first odd argument or none is: nothing is to be learned from a count.
_ONE_SIDED = {"import_original", "load_session", "purge_import", "session_as_of", "undo_import", "check_machine"}


@pytest.mark.parametrize("function", [name for name, arguments in FUNCTIONS.items() if arguments])
def test_random_arguments_of(judge: Judge, function: str) -> None:
    came: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES)
    @given(arguments=calls(function))
    def fuzz(arguments: dict[str, Any]) -> None:
        refusal: psycopg.Error | None = None
        try:
            with judge.api.conn.transaction(force_rollback=True):
                judge.api.rows(function, **arguments)
                assert judge.api.rows("verify_sessions") == []
        except psycopg.Error as error:
            refusal = error
        assert refusal is None or refusal_problem(refusal) is None
        came["accepted" if refusal is None else str(refusal.sqlstate)] += 1

    fuzz()
    assert judge.digest() == judge.stored
    assert len(came) > 1 or function in _ONE_SIDED, came


_HOW = ["create", "save", "patch", "patch by an event", "batch", "fork", "rollback"]


@settings(max_examples=4 * EXAMPLES)
@given(context=json_objects, how=st.sampled_from(_HOW))
def test_what_is_loaded_is_what_was_saved(judge: Judge, context: str, how: str) -> None:
    """To the digit, whichever way it came in; state and id, where they agree, are left out."""
    api = judge.api
    refusal: psycopg.Error | None = None
    try:
        with api.conn.transaction(force_rollback=True):
            if how != "create":
                api.create("new", "door")
            if how == "create":
                api.create("new", "door", context=context)
            elif how == "patch":
                api.update("new", patch=context)
            elif how == "patch by an event":
                api.send("new", "OPEN", patch=context)
            elif how == "batch":
                api.batch(f'[{{"session_id": "new", "state": "open", "context": {context}}}]')
            else:
                api.save("new", "open", context)
            name = "new"
            if how == "fork":
                name = api.fork("new", 2, "newer").session_id
            elif how == "rollback":
                api.save("new", "open", '{"other": [1]}')
                api.rollback("new", 2)
            kept = "select (%s::jsonb - array['current_state', 'session_id'])::text"
            wanted = api.conn.execute(kept, (context,)).fetchone()
            loaded = api.text(name)
            newest = api.load(name).version
            assert loaded == api.text(name, newest)
            if "patch" not in how or "null" not in context:  # which takes a key away
                assert wanted == (loaded,)
            assert api.rows("verify_sessions") == []
    except psycopg.Error as error:
        refusal = error
    assert refusal is None or (refusal.sqlstate, refusal_problem(refusal)) == ("SM021", None)
