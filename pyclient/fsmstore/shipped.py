"""What comes with the package beside its code: from the wheel, or from the checkout that this file lies in."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
_CHECKOUT = _HERE.parents[1]


def machine(name: str) -> dict[str, Any]:
    """Return the definition of a machine that is shipped, such as ``purchase_item``.

    Raises:
        FileNotFoundError: no machine of that name is shipped.
    """
    places = (_HERE / "_machines", _CHECKOUT / "db" / "machines")
    for place in places:
        if (place / f"{name}.json").is_file():
            definition: dict[str, Any] = json.loads((place / f"{name}.json").read_text("utf-8"))
            return definition
    raise FileNotFoundError(f"no machine {name!r} is shipped: looked in {' and '.join(map(str, places))}")


def data_place() -> Path:
    """Return where the server for development keeps its data unless told otherwise.

    In a checkout ``.fsmstore/db``, else a directory of the user's own data.
    """
    if (_CHECKOUT / "db" / "machines").is_dir():
        return _CHECKOUT / ".fsmstore" / "db"
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "fsmstore" / "db"
