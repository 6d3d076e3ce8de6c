"""Runs the load in rounds, does the faults, and has each round checked before the next."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from . import gather, places, scenes
from .checker import check
from .cluster import faketime_library
from .faults import DBNAME, Nuisances, Servers
from .feed import Reader
from .gate import Gate
from .install import LOGINS, install
from .pooler import Pooler
from .pooler import program as pgbouncer
from .records import Log, read
from .stored import Violation
from .summary import Summary
from .workers import Process, plan

# What may be answered: a refusal that another client's write brings about, or a server that goes away. Nothing else.
ALLOWED = {
    "SM010", "SM011", "SM012", "SM020", "SM021", "SM022", "SM030", "SM040", "SM050", "SM051", "22023",
    "57P01", "57P02", "57P03", "57014", "55P03", "08006", "08001", "08003", "08P01", "25006", "53300",
    "OperationalError", "PoolTimeout", "InterfaceError",
}  # fmt: skip
NO_ROOM = "53100"
_ALL_NOTICE = 6.0
"""Seconds after a step of the clock in which some processes of the server may still go by the old one."""


class Soak:
    """A server with its standby, gates, pooler, clients, readers of the feed; and the faults."""

    def __init__(self, seed: int, faults: Sequence[str] | None = None, log: Callable[[str], None] = print) -> None:
        """faults: the faults of the server to be done, in turn and not by chance; None: all that can be done here."""
        self.summary = Summary()
        self._chance = random.Random(seed)
        self._say = log
        self._opened = ExitStack()
        self._rounds = itertools.count(1)
        self._scene = itertools.cycle(scenes.SCENES)
        self._scenes_played: Counter[str] = Counter()
        self._clock_went_back = 0
        try:
            self._set_up(places.place(self._opened), seed, faults)
        except BaseException:
            self._opened.close()
            raise

    def __enter__(self) -> Soak:
        return self

    def administer(self, statement: str) -> None:
        """Run a statement as a superuser."""
        with self._servers.admin() as admin:
            admin.execute(statement.encode())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def _set_up(self, place: Path, seed: int, faults: Sequence[str] | None) -> None:
        self._logs = place / "logs"
        self._logs.mkdir()
        disk: Path | None = None
        try:
            disk = places.small_disk(place / "disk", self._opened)
        except places.NoDisk as error:
            self.summary.absent["disk full"] = str(error)
        clock = place / "clock"
        clock.write_text("+0.0\n")
        clock.chmod(0o644)
        has_clock = faketime_library() is not None
        if not has_clock:
            self.summary.absent["clock went back"] = "libfaketime is not installed (Debian: faketime)"
        self._servers = Servers(disk or place / "disk", place / "gate", clock if has_clock else None)
        self._opened.callback(self._servers.close)
        install(self._servers.primary, DBNAME)
        gates = [self._servers.gate]
        behind: Path | None = None
        if pgbouncer() is not None:
            pooler = Pooler(place / "pooler", self._servers.gate.directory, [*LOGINS, "postgres"])
            self._opened.callback(pooler.stop)
            before = Gate(place / "gate2", pooler.sockets / ".s.PGSQL.5432")
            self._opened.callback(before.close)
            gates.append(before)
            behind = before.directory
        else:
            self.summary.absent["pooler switched servers between two saves"] = "PgBouncer is not installed"
        self._gates = gates
        dsn = self._servers.gate.directory
        self._readers = [
            Reader(f"host={dsn} port=5432 user=soak_admin dbname={DBNAME} sslmode=disable gssencmode=disable", *how)
            for how in ((1000, 0.05), (200, 0.5))
        ]
        for reader in self._readers:
            self._opened.callback(reader.close)
        self._processes = [
            Process(f"w{number}", stores, self._logs, str(seed))
            for number, stores in enumerate(plan(dsn, behind))
        ]  # fmt: skip
        for process in self._processes:
            self._opened.callback(process.end)
        self._nuisances = Nuisances(self._servers, gates, self._chance)
        self._opened.callback(self._nuisances.close)
        known: dict[str, Callable[[], None]] = {
            "kill": self._servers.kill,
            "stop": self._servers.stop_immediately,
            "backend": self._servers.kill_backend,
            "restart": self._servers.restart,
            "failover": self._servers.fail_over,
        }
        if disk is not None:
            known["disk"] = lambda: self._servers.fill_disk(disk)
        self._faults = [known[name] for name in (faults or known) if name in known]
        self._fault = itertools.cycle(self._faults)
        self._may_be_full = disk is not None

    # -- a round ----------------------------------------------------------------------------------------------------

    def round(self, seconds: float, pause: float = 3.5) -> None:
        """Run the load for so long, with a fault of the server every few seconds, and check what came of it."""
        name = f"r{next(self._rounds)}"
        began = time.monotonic()
        self._servers.faults.clear()
        self._servers.clock_stepped.clear()
        for process in self._processes:
            process.round(name)
        over = threading.Event()
        failed: list[Violation] = []
        beside = [
            threading.Thread(target=self._annoy, args=(over,)),
            threading.Thread(target=self._arrange, args=(name, over, failed)),
        ]
        for thread in beside:
            thread.start()
        try:
            self._do_faults(name, began + seconds, pause)
        finally:
            over.set()
            for thread in beside:
                thread.join()
        ended = time.monotonic()
        for process in self._processes:
            process.over()
        failures = [failure for process in self._processes for failure in process.finished()]
        self.summary.violations += [Violation("clients go on", "", failure) for failure in failures] + failed
        self.summary.seconds += ended - began
        self._judge(name, ended)

    def _do_faults(self, name: str, end: float, pause: float) -> None:
        killed = 0
        while time.monotonic() < end:
            time.sleep(min(pause * self._chance.uniform(0.5, 1.2), max(0.0, end - time.monotonic())))
            if time.monotonic() > end:
                return
            next(self._fault)()
            if killed % 3 == 0:
                process = self._processes[1 + killed // 3 % (len(self._processes) - 1)]
                process.kill(name)
                self.summary.faults["client process killed"] += 1
            if killed % 2 and self._servers.clock is not None:
                went_back = self._servers.step_clock(self._chance.choice([-3.0, 2.0]) if killed % 4 == 1 else 0.0)
                self._clock_went_back += went_back
                self.summary.faults["clock stepped"] += 1
            killed += 1

    def _annoy(self, over: threading.Event) -> None:
        while not over.wait(self._chance.uniform(0.1, 0.5)):
            self._nuisances.one()

    def _arrange(self, name: str, over: threading.Event, failed: list[Violation]) -> None:
        log = Log(self._logs / f"{name}.scenes.jsonl")
        for number in itertools.count(1):
            if over.wait(0.3):
                break
            scene = next(self._scene)
            try:
                played = scenes.play(self._servers, log, f"{name}-", number, scene)
            except scenes.SceneFailed as error:
                failed.append(Violation("scene", scene, str(error)))
                continue
            self._scenes_played[scene] += played
        log.close()

    # -- what came of it --------------------------------------------------------------------------------------------

    def _judge(self, name: str, ended: float) -> None:
        summary = self.summary
        with self._servers.admin() as admin:
            marker = f"{name}-marker"
            admin.execute("select fsm.create_session(%s, 'soak')", (marker,))
            self._wait_for_readers(marker)
            admin.execute("select fsm.delete_session(%s)", (marker,))
            stored = gather.stored(admin, f"{name}-")
            paths = sorted(self._logs.glob(f"{name}.*"))
            calls = read(paths)
            feeds = [reader.take() for reader in self._readers]
            violations = gather.verified(admin)
            verdict = check(calls, stored, feeds, self._disturbed())
            violations += verdict.violations
            summary.updated(*gather.updates(admin))
            gather.remove(admin, f"{name}-")
            admin.execute("vacuum")  # which the server has no time for by itself between two crashes
            summary.grown(gather.megabytes(admin))
        for path in paths:
            path.unlink()
        allowed = ALLOWED | ({NO_ROOM} if self._may_be_full else set())
        violations += [
            Violation("no other error", call.name, f"{call.id} {call.sqlstate} {call.error}")
            for call in calls if call.sqlstate is not None and call.sqlstate not in allowed
        ]  # fmt: skip
        violations += [Violation("the feed goes on", "", error) for reader in self._readers for error in reader.errors]
        summary.violations += violations
        summary.counts += verdict.counts
        summary.time(calls, self._servers.faults, ended)
        summary.server_faults += len(self._servers.faults)
        summary.faults += Counter(fault.kind for fault in self._servers.faults)
        self._reached()
        self._say(
            f"{name}: {verdict.counts['calls']} calls, "
            f"{verdict.counts['versions']} versions of {len(stored)} sessions, "
            f"{len(self._servers.faults)} faults of the server, {len(violations)} violations, "
            f"{self._processes[0].resident[-1] >> 10} MB"
        )

    def _disturbed(self) -> list[tuple[float, float]]:
        """When a turn could end before its time. A step of the clock is noticed by one process after the other."""
        faults = [(fault.began, fault.ended) for fault in self._servers.faults]
        return faults + [(stepped, stepped + _ALL_NOTICE) for stepped in self._servers.clock_stepped]

    def _wait_for_readers(self, marker: str) -> None:
        end = time.monotonic() + 60
        for reader in self._readers:
            while not reader.saw(marker):
                if time.monotonic() > end:
                    self.summary.violations.append(Violation("the feed goes on", marker, "not shown for a minute"))
                    return
                time.sleep(0.05)

    def _reached(self) -> None:
        """Bring the counters up to date."""
        summary, counts = self.summary, self.summary.counts
        cuts = sum((gate.cuts for gate in self._gates), Counter[str]())
        counts["lost after commit"] = cuts.pop("lost after commit", 0)
        summary.faults.update(dict.fromkeys(self._nuisances.made, 0))
        for name, times in self._nuisances.made.items():
            summary.faults[name] = times
        for name, times in cuts.items():
            summary.faults[f"connection cut {name}"] = times
        summary.sometimes = {
            "replayed answer": counts["replayed"],
            "conflict": counts["sqlstate SM030"],
            "reply lost after commit": counts["lost after commit"],
            "loop found": counts["loops"] + counts["sqlstate SM040"],
            "guard null": counts["guard null"],
            "rollback to version 1": counts["rollback to version 1"],
            "deadline and save met": counts["deadline and save met"],
            **{name: self._scenes_played[name] for name in scenes.SCENES},
        }
        if "clock went back" not in summary.absent:
            summary.sometimes["clock went back"] = self._clock_went_back
        if "pooler switched servers between two saves" not in summary.absent:
            switched = sum(process.switched for process in self._processes)
            summary.sometimes["pooler switched servers between two saves"] = switched
        resident = self._processes[0].resident
        summary.resident = (resident[0], resident[-1])
