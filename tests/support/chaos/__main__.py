"""``python -m support.chaos --minutes 5``: the soak."""

from __future__ import annotations

import argparse
import logging
import sys
import time

from .conductor import Soak

_ROUND = 60.0


def main() -> int:
    """Run it, print what came of it; 1 on any violation, or if something that should be met was not."""
    parser = argparse.ArgumentParser(prog="make soak", description="Faults under load, and a check of every history.")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    for name in ("psycopg", "psycopg.pool", "fsmstore"):  # that connections break is no news here
        logging.getLogger(name).setLevel(logging.CRITICAL)
    print(f"seed {arguments.seed}", flush=True)
    with Soak(arguments.seed, log=lambda line: print(line, flush=True)) as soak:
        while (left := arguments.minutes * 60 - soak.summary.seconds) > 1:
            soak.round(min(_ROUND, left) if left < 1.5 * _ROUND else _ROUND)
    print(soak.summary)
    return 0 if soak.summary.good else 1


if __name__ == "__main__":
    sys.exit(main())
