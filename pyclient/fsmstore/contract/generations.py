"""The shapes that contexts were written in over the years, and how an older one becomes the present one.

Seven generations are older than the present V7. Only the last two carry a ``serialization_version``, and both say
"1.0", so what tells them apart is their shape. An upgrade adds and never takes away: what an older generation knew and
V7 has no field for stays, as an unknown key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fsmstore.errors import InvalidContext

from .template import template_name

SERIALIZATION_VERSION = "1.0"
"""What a context that is written now says of itself."""


class UnsupportedSerialization(InvalidContext):
    """SM021, by the client: the context was written in a form that this release does not know.

    Nothing is guessed: what a newer writer means by a field that looks familiar cannot be told.
    """

    serialization_version: Any
    """What the context says."""
    supported: str
    """What this release reads, besides the generations that carry no version at all."""


def generation_of(data: Mapping[str, Any]) -> str:
    """Return which generation wrote a context: V1, V1p, V2, V3, V4, V5, V6 or V7.

    Raises:
        UnsupportedSerialization: it carries a version other than "1.0".
    """
    version = data.get("serialization_version")
    if version is not None:
        if version != SERIALIZATION_VERSION:
            raise _unsupported(version)
        return "V7" if "fsm_state_history" in data else "V6"
    if "refinement_attempts" in data:
        return "V5"
    if "extracted_attributes" in data:
        return "V4"
    if "top_products" in data:
        return "V3" if isinstance(data.get("constraints"), list) else "V2"
    return "V1" if isinstance(data.get("contract_template"), Mapping) else "V1p"


def upgraded(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a context of any generation with what only its generation needs put right, fields it lacks left out.

    The template becomes its name, the version the present one, and a context without ``last_updated`` gets the time
    that it calls ``updated_at``. The name of the state is kept: which of today's states an older name means is for
    the import to decide, in the database.

    Raises:
        UnsupportedSerialization: it carries a version other than "1.0".
        UnknownTemplate: its template's name cannot be one.
    """
    generation_of(data)  # refuses what nobody here can read
    present = dict(data)
    template = data.get("contract_template")
    present["contract_template"] = template_name(data.get("contract_template_path") if template is None else template)
    present["serialization_version"] = SERIALIZATION_VERSION
    if isinstance(data.get("updated_at"), str):
        present.setdefault("last_updated", data["updated_at"])
    return present


def _unsupported(version: Any) -> UnsupportedSerialization:
    said = f"serialization_version is {version!r}; this release reads {SERIALIZATION_VERSION!r}"
    finding = {"code": "unsupported_serialization", "path": "$.serialization_version", "message": said}
    return UnsupportedSerialization(
        said,
        detail={
            "code": finding["code"],
            "path": finding["path"],
            "serialization_version": version,
            "supported": SERIALIZATION_VERSION,
            "findings": [finding],
        },
        hint="Read it with the release that wrote it, or a newer one.",
    )
