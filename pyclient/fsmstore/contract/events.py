"""Log records that programs can read: a stable name, and the facts beside it."""

from __future__ import annotations

import json
import logging
from typing import Any


def emit(logger: logging.Logger, level: int, event: str, **facts: Any) -> None:
    """Log an event: its name and its facts as JSON in the message, and both as attributes of the record.

    Args:
        logger: where it is logged.
        level: one of logging's levels; below the logger's own nothing is done.
        event: the stable name, such as ``fsm.save_refused``; attribute ``fsm_event`` of the record.
        facts: what there is to say; attribute ``fsm`` of the record, a dict.
    """
    if logger.isEnabledFor(level):
        text = json.dumps(facts, ensure_ascii=False, default=str)
        logger.log(level, "%s %s", event, text, extra={"fsm_event": event, "fsm": facts})
