"""The command ``fsmstore``."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; it needs the extra ``cli``, and says so where that is missing."""
    try:
        from .app import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("typer", "rich", "click"):
            raise
        print(f"the command line needs {error.name}: pip install 'fsmstore[cli]'", file=sys.stderr)
        return 2
    return run()
