"""``python -m support.chaos.worker CONFIG``: a process with several clients, told by lines on its input what to do.

``round NAME`` starts the clients; ``over`` lets them end what they are at, and is answered with a line of numbers.
The end of the input ends the process.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

from .direct import DirectStore
from .faces import AsyncFace, Face, opened, run
from .load import Client, Sessions
from .records import Log


def resident_kilobytes() -> int:
    """Return the memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


class Worker:
    """The clients of one process. Stores are kept from round to round, as an application keeps them."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.stores = [opened(kind, dsn, patience) for kind, dsn, patience, _ in config["stores"]]
        self.over = threading.Event()
        self.threads: list[threading.Thread] = []
        self.loop = asyncio.new_event_loop()
        self.failures: list[str] = []

    def begin(self, name: str) -> None:
        """Start all clients of a round."""
        self.over.clear()
        log = Log(Path(self.config["logs"]) / f"{name}.{self.config['name']}.jsonl")
        asynchronous: list[Client] = []
        for place, (kind, _, _, clients) in enumerate(self.config["stores"]):
            face = (AsyncFace if kind.startswith("async") else Face)(self.stores[place])
            for number in range(clients):
                client = Client(
                    f"{self.config['name']}.{name}.{place}{chr(97 + number)}", face, log, Sessions(name),
                    f"{self.config['seed']} {name} {place} {number}", self.over.is_set, "housekeeping" in kind,
                )  # fmt: skip
                if isinstance(face, AsyncFace):
                    asynchronous.append(client)
                else:
                    self._thread(lambda client=client: run(client.run()))
        self._thread(lambda: self.loop.run_until_complete(_together(asynchronous)))

    def _thread(self, work: Any) -> None:
        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # told to the conductor, who fails for it
                logging.getLogger(__name__).exception("a client failed")
                self.failures.append(repr(error))

        thread = threading.Thread(target=guarded, daemon=True)
        self.threads.append(thread)
        thread.start()

    def end(self) -> dict[str, Any]:
        """Wait for the end of all clients; tell the numbers."""
        self.over.set()
        for thread in self.threads:
            thread.join()
        self.threads.clear()
        switched = sum(store.switched for store in self.stores if isinstance(store, DirectStore))
        return {"resident": resident_kilobytes(), "switched": switched, "failures": self.failures}


async def _together(clients: list[Client]) -> None:
    await asyncio.gather(*(client.run() for client in clients))


def main() -> None:
    """Do what the input says."""
    for name in ("psycopg", "psycopg.pool", "fsmstore"):  # that connections break is no news here
        logging.getLogger(name).setLevel(logging.CRITICAL)
    worker = Worker(json.loads(sys.argv[1]))
    for line in sys.stdin:
        what, _, name = line.strip().partition(" ")
        if what == "round":
            worker.begin(name)
            print("{}", flush=True)
        elif what == "over":
            print(json.dumps(worker.end()), flush=True)
    os._exit(0)  # nothing is to be kept of a store whose server may be away


if __name__ == "__main__":
    main()
