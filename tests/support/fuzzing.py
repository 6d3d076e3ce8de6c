"""Random arguments by type, for every function: now and then right, so that the others are looked at."""

from __future__ import annotations

import json
import os
from typing import Any

from hypothesis import strategies as st

from support.batches import item
from support.definitions import any_json, spoiled, texts
from support.hostile import MACHINE
from support.hostile_calls import FUNCTIONS, Arg
from support.hostile_json import APPENDS, CONTEXTS, NOTES, PATCHES, STATE_MAPS, UPGRADE_PATCHES
from support.hostile_listed import CHECKED, DEFINITIONS, ID_LISTS, IMPORTS, ITEMS, PATHS
from support.hostile_values import AGES, BIGINTS, CURSORS, INTEGERS, LEASES, LIMITS, TIMES
from support.machines import DOOR, PURCHASE
from support.originals import contract, table_row

EXAMPLES = 25 * int(os.environ.get("FSMSTORE_FUZZ", "1"))
"""Of each function."""

# -- JSON as text: in every spelling that jsonb takes -----------------------------------------------------------------

_spaces = st.sampled_from(["", "", "", " ", "\n\t", "\r"])
_digits = st.text("0123456789", min_size=1, max_size=8)
_numbers = st.builds(
    lambda sign, whole, fraction, exponent: f"{sign}{whole.lstrip('0') or '0'}{fraction}{exponent}",
    st.sampled_from(["", "-"]),
    _digits | st.integers(998, 1002).map(lambda length: "7" * length),
    st.just("") | _digits.map(".{}".format) | st.integers(998, 1002).map(lambda length: "." + "7" * length),
    st.just("") | st.integers(-1005, 1005).map(lambda power: f"e{power}"),
)
_strings = st.builds(json.dumps, texts, ensure_ascii=st.booleans())
_keys = st.sampled_from(['"n"', '"t"', '"log"', '"o"', '"k"', '"current_state"', '"\\u006e"', '""']) | _strings
json_texts = st.recursive(
    _numbers | _strings | st.sampled_from(["null", "true", "false", '"a"', '"s-1"', "[]", "{}"]),
    lambda inner: (
        st.builds(lambda parts, space: f"[{space}{f'{space},'.join(parts)}]", st.lists(inner, max_size=4), _spaces)
        | st.builds(
            lambda parts, space: "{" + ",".join(f"{space}{key}{space}:{value}" for key, value in parts) + "}",
            st.lists(st.tuples(_keys, inner), max_size=5),
            _spaces,
        )
    ),
    max_leaves=20,
)
json_objects = json_texts.filter(lambda text: text.startswith("{"))
# -- jsonpath ---------------------------------------------------------------------------------------------------------

_steps = st.sampled_from(
    [".n", ".log", ".o", '."t"', "[*]", "[0]", "[last]", "[1 to 3]", "[0, 0]", ".*"]
    + [".size()", ".type()", ".double()", ".abs()", ".datetime()"]
    + [".keyvalue()", ".floor()", " ? (@ > 1)", " ? (exists(@.k))", ' ? (@ like_regex "^x")', ".**", "[$.n]"]
)  # fmt: skip
_roots = st.lists(_steps, max_size=4).map(lambda steps: "$" + "".join(steps))
_tests = st.builds(
    "{} {} {}".format,
    _roots,
    st.sampled_from(["==", "!=", "<", ">=", "<>", "like_regex", "starts with", "+", "%", "&&"]),
    _roots | st.sampled_from(["1", '"x"', "null", "true", "1e999", "-0", '"(a+)+$"', "$v"]),
)
jsonpaths = (
    _roots
    | _tests
    | st.builds("{}({}) || {}".format, st.sampled_from(["", "!", "strict ", "exists"]), _tests, _tests)
    | st.text('$@.*[]()?!&|=<>+-/%",\\ab01e ', max_size=30)
)
# -- by type of argument ----------------------------------------------------------------------------------------------

_intervals = st.builds(
    "{} months {} days {} microseconds".format,
    st.integers(-20, 20) | st.just(0),
    st.integers(-40, 40) | st.just(0),
    st.integers(-(10**11), 10**11),
)
_times = st.builds(
    "{:04}-{:02}-{:02} {:02}:{:02}:59.5{:+03}".format,
    st.integers(1, 9999),
    st.integers(1, 12),
    st.integers(1, 28),
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(-14, 14),
)
_item_keys = ["session_id", "state", "context", "expected_version", "event", "request_id", "turn", "actor", "note"]
_items = st.lists(
    st.builds(item, st.sampled_from(["s-1", "s-2", "held", "fin", "nobody"]), st.sampled_from(["a", "b", "z"]))
    | st.dictionaries(st.sampled_from(_item_keys) | texts, any_json, max_size=5)
    | any_json,
    max_size=5,
)
_rows = [table_row("old-3", contract("old-3", "search")), table_row("old-1", contract("old-1", "start"))]
_imports = st.lists(spoiled(_rows) | st.sampled_from(_rows), max_size=4)
_originals = [MACHINE, DOOR, PURCHASE]
_guarded = st.builds(
    lambda guard, invariant: {
        **MACHINE,
        "states": {
            **MACHINE["states"],
            "a": {"on": {"GO": [{"target": "b", "guard": guard}, "a"], "END": "z"}},
            "b": {"on": {"BACK": "a"}, "meta": {"invariant": [invariant]}},
        },
    },
    jsonpaths,
    jsonpaths,
)

_definitions = (spoiled(_originals) | _guarded | any_json).map(json.dumps)

_RANDOM: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (CONTEXTS, json_objects | json_texts),
    (PATCHES, json_objects),
    (APPENDS, json_objects),
    (UPGRADE_PATCHES, json_objects),
    (NOTES, json_texts),
    (STATE_MAPS, json_objects),
    (DEFINITIONS, _definitions),
    (CHECKED, _definitions),
    (ITEMS, _items.map(json.dumps) | json_texts),
    (IMPORTS, _imports.map(json.dumps) | json_texts),
    (ID_LISTS, st.lists(st.none() | texts | st.just("s-1"), max_size=5)),
    (PATHS, st.lists(jsonpaths, max_size=3)),
    (BIGINTS, st.integers(-(2**63), 2**63 - 1) | st.integers(0, 6)),
    (INTEGERS, st.integers(-(2**31), 2**31 - 1) | st.integers(0, 3)),
    (LIMITS, st.integers(-(2**31), 2**31 - 1) | st.integers(0, 3)),
    (LEASES, _intervals),
    (AGES, _intervals),
    (TIMES, _times),
    (CURSORS, st.from_regex(r"-?[0-9]{0,20}:-?[0-9]{0,20}:?[^\x00\ud800-\udfff]{0,3}", fullmatch=True)),
]


def _argument(arg: Arg) -> st.SearchStrategy[Any]:
    given: st.SearchStrategy[Any] = st.sampled_from([value for _, value, _ in arg.values if len(str(value)) < 3000])
    known = [strategy for values, strategy in _RANDOM if values is arg.values]
    made = known[0] if known else texts if isinstance(arg.right, str) and "-" not in arg.right[8:9] else given
    return st.just(arg.right) | st.just(arg.right) | made | made | given


def calls(function: str) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments for a function, any of them right or anything at all."""
    return st.fixed_dictionaries({name: _argument(arg) for name, arg in FUNCTIONS[function].items()})
