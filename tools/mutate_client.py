"""Put small faults into the Python client, one at a time, and see that some test fails for each.

    python tools/mutate_client.py retry driver        (without names: every module that has tests)

The tests run once, and it is noted which functions each one calls. Then, for each fault, a forked child takes the
faulty code into the functions that are loaded already and runs the tests that call them: those first that found other
faults of the same function, then those that are there for the module, then others for some seconds. The first failure
ends the child: the fault is found. What survives and is not in tools/client_survivors.txt fails the run.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, TextIO

import psycopg
import pytest

from client_mutations import Mutation, mutations

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pyclient/fsmstore"
ALLOWED = ROOT / "tools/client_survivors.txt"
MODULES, REPORT, BUDGET = "FSMSTORE_MUTATED", "FSMSTORE_MUTATION_REPORT", "FSMSTORE_MUTATION_SECONDS"
ONLY = "FSMSTORE_MUTATION_ONLY"
EVERY = (
    "retry errors forks parameters jsonvalues rows cache connections driver held_turn turns aio_turns batches "
    "batch_operations session_operations turn_operations base_operations past past_operations statements"
).split()
# The tests that a module's faults are expected to fail, by words of their files' names.
EXPECTED = {
    "retry": "attempts lost_connections transactions",
    "errors": "outcomes errors lost_connections",
    "connections": "own_pools threads_forks lost_connections transactions turns_and_connections",
    "driver": "test_errors json_values turns_and_connections held_turn lost_connections transactions threads_forks",
    "forks": "threads_forks",
    "cache": "cache_rules test_cache",
    "held_turn": "held_turn turns",
    "turns": "turns",
    "aio_turns": "turns",
    "turn_operations": "turns",
    "batches": "batches",
    "batch_operations": "batch_parts batches",
    "jsonvalues": "json_values",
    "parameters": "errors sessions json_values",
    "past": "past",
    "past_operations": "past",
}
# Cut off after some seconds of tests that are not there for the module (with a star), or called by no test.
NOWHERE = 99
_ALIVE = ("survived", "survived*", "untested")
_kept: list[object] = []


class Mutants:
    """A pytest plugin that runs the tests for each fault instead of once."""

    def __init__(self, modules: list[str], report: Path, budget: float, out: TextIO) -> None:
        self.modules, self.report, self.budget, self.out = modules, report, budget, out
        self.callers: defaultdict[tuple[str, str], set[pytest.Item]] = defaultdict(set)
        self.seconds: dict[pytest.Item, float] = {}
        self.kills: Counter[tuple[str, pytest.Item]] = Counter()
        self.paths = {str(PACKAGE / f"{name}.py"): name for name in modules}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run all tests once, then those that matter for each fault."""
        self._once(session)
        if session.testsfailed:
            self._say("the tests fail without a fault: nothing to be learnt from them")
            return True
        results = []
        only = Path(os.environ[ONLY]).read_text().splitlines() if os.environ.get(ONLY) else []
        for name in self.modules:
            path = PACKAGE / f"{name}.py"
            importlib.import_module(f"fsmstore.{name}")
            for mutation in mutations(path):
                if only and mutation.key not in only:
                    continue
                began = time.monotonic()
                outcome, test = self._try(session, mutation, path)
                results.append({"key": mutation.key, "line": mutation.line, "outcome": outcome, "test": test})
                self._say(f"{outcome:9} {time.monotonic() - began:5.1f} s {mutation.line:4} {mutation.key}")
                self.report.write_text(json.dumps(results))
        return True

    def _say(self, text: str) -> None:
        print(text, file=self.out, flush=True)

    def _once(self, session: pytest.Session) -> None:
        for item in session.items:
            seen: set[tuple[str, str]] = set()

            def note(frame: FrameType, event: str, argument: object, seen: set[tuple[str, str]] = seen) -> None:
                if event == "call" and frame.f_code.co_filename in self.paths:
                    seen.add((self.paths[frame.f_code.co_filename], frame.f_code.co_qualname))  # type: ignore[attr-defined]

            began = time.monotonic()
            threading.setprofile(note)
            sys.setprofile(note)
            self._run(session, item)
            sys.setprofile(None)
            self.seconds[item] = time.monotonic() - began
            for key in seen:
                self.callers[key].add(item)
        threading.setprofile(None)
        self._say(f"{len(session.items)} tests, {sum(self.seconds.values()):.0f} s, {session.testsfailed} failed")

    def _run(self, session: pytest.Session, item: pytest.Item) -> None:
        """Run a test; what belongs to the whole session stays set up, for the next one and for the children."""
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=_Nothing(session))

    def _chosen(self, mutation: Mutation) -> list[pytest.Item]:
        if not mutation.function:
            # A test may ask for a constant and call nothing.
            able = {item for item in self.seconds if self.expected(mutation, item) < NOWHERE}
            able |= {item for (name, _), items in self.callers.items() if name == mutation.module for item in items}
        else:
            able = self.callers[mutation.module, mutation.function]
        place = f"{mutation.module}.{mutation.function}"

        def rank(item: pytest.Item) -> tuple[float, ...]:
            known = self.kills[place, item], self.kills[mutation.module, item]
            return -known[0], self.expected(mutation, item), -known[1], self.seconds[item]

        return sorted(able, key=rank)

    @staticmethod
    def expected(mutation: Mutation, item: pytest.Item) -> int:
        """The place of a test among those that are there for the module; NOWHERE if it is not."""
        words = EXPECTED.get(mutation.module, "").split()
        return next((place for place, word in enumerate(words) if word in item.path.name), NOWHERE)

    def _try(self, session: pytest.Session, mutation: Mutation, path: Path) -> tuple[str, str | None]:
        items = self._chosen(mutation)
        if not items:
            return "untested", None
        try:
            code = mutation.compiled(path)
        except (SyntaxError, ValueError):
            return "no code", None
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _child(self, session, mutation, code, items, writer)
        os.close(writer)
        said = _answer(reader, child, 8 * self.budget + 20)
        os.close(reader)
        if not said.startswith("killed"):
            return said, None
        test = items[int(said.split()[1])]
        self.kills[f"{mutation.module}.{mutation.function}", test] += 1
        self.kills[mutation.module, test] += 1
        return "killed", test.nodeid


class _Nothing:
    """Stands for the next test: it needs what every test needs, and nothing else."""

    def __init__(self, session: pytest.Session) -> None:
        self.session = session

    def listchain(self) -> list[Any]:
        return [self.session]


def _answer(reader: int, child: int, seconds: float) -> str:
    """Return what a child found out, or that it took too long, which is a fault found as well."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if os.waitpid(child, os.WNOHANG)[0]:
            return os.read(reader, 100).decode() or "killed 0"
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timeout"


def _child(
    plugin: Mutants, session: pytest.Session, mutation: Mutation, code: CodeType, items: list[pytest.Item], writer: int
) -> None:
    """Run the tests on the faulty code, say what came of it, and end."""
    said = "no place"
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        _reconnect()
        if _plant(mutation, code):
            said, spent = "survived", 0.0
            for number, item in enumerate(items):
                if spent > plugin.budget and not (
                    spent < 8 * plugin.budget and plugin.expected(mutation, item) < NOWHERE
                ):
                    said = "survived*"
                    break
                plugin._run(session, item)
                if session.testsfailed:
                    said = f"killed {number}"
                    break
                spent += plugin.seconds[item]
    except BaseException:  # noqa: BLE001
        said = "killed 0"
    finally:
        os.write(writer, said.encode())
        os._exit(0)


def _reconnect() -> None:
    """Give the connections that stay open over all tests a socket of the child's own."""
    for found in gc.get_objects():
        if isinstance(found, psycopg.Connection) and not found.closed:
            own = psycopg.connect(found.info.dsn, password=found.info.password, autocommit=True)
            # The parent's is kept: collecting it would end the parent's session.
            _kept.extend([found.pgconn, own])
            found.pgconn = own.pgconn


def _plant(mutation: Mutation, code: CodeType) -> bool:
    """Put the fault into what is loaded; False if there is no place for it."""
    if not mutation.function:
        return _plant_constant(mutation, code)
    new = next((one for one in _codes(code) if one.co_qualname == mutation.function), None)  # type: ignore[attr-defined]
    planted = False
    for found in gc.get_objects():
        if isinstance(found, FunctionType) and new is not None and found.__code__.co_filename == new.co_filename:
            old = found.__code__
            same = old.co_qualname == new.co_qualname and old.co_freevars == new.co_freevars  # type: ignore[attr-defined]
            if same and old.co_firstlineno == new.co_firstlineno:
                found.__code__ = new
                planted = True
    return planted


def _codes(code: CodeType) -> list[CodeType]:
    inner = [one for one in code.co_consts if isinstance(one, CodeType)]
    return inner + [deeper for one in inner for deeper in _codes(one)]


def _plant_constant(mutation: Mutation, code: CodeType) -> bool:
    module = sys.modules[f"fsmstore.{mutation.module}"]
    faulty = ModuleType(module.__name__)
    faulty.__dict__.update({name: getattr(module, name) for name in ("__package__", "__file__", "__spec__")})
    exec(code, faulty.__dict__)
    names = {
        name
        for name, value in vars(faulty).items()
        if not name.startswith("__") and not callable(value) and repr(value) != repr(getattr(module, name, None))
        and " at 0x" not in repr(value)
    }  # fmt: skip
    for name in names:
        old = getattr(module, name)
        for other in [one for title, one in sys.modules.items() if title.startswith("fsmstore")]:
            if getattr(other, name, None) is old:
                setattr(other, name, getattr(faulty, name))
    return bool(names)


def pytest_configure(config: pytest.Config) -> None:
    """Become the plugin, in the process that main() started."""
    if os.environ.get(MODULES):
        out = os.fdopen(int(os.environ["FSMSTORE_MUTATION_OUT"]), "w")
        names = os.environ[MODULES].split()
        budget = float(os.environ.get(BUDGET, "30"))
        config.pluginmanager.register(Mutants(names, Path(os.environ[REPORT]), budget, out))


def allowed() -> dict[str, str]:
    """Faults that no test can find, each with the reason."""
    lines = [line for line in ALLOWED.read_text().splitlines() if line and not line.startswith("#")]
    parts = [line.partition("  # ") for line in lines]
    return {key: reason for key, _, reason in parts}


def main(arguments: list[str]) -> int:
    """Run the tests of the client with the faults of these modules; return 1 if one survives that should not."""
    with tempfile.TemporaryDirectory(prefix="fsm") as directory:
        report = Path(os.environ.get(REPORT) or Path(directory) / "report.json")
        output = _run(arguments or EVERY, report)
        if not report.exists():
            print(output[-3000:])
            return 2
        results = json.loads(report.read_text())
    print(dict(Counter(one["outcome"] for one in results)))
    known = allowed()
    left = [one for one in results if one["outcome"] in _ALIVE and one["key"] not in known]
    for one in left:
        print(f"{one['outcome']} (line {one['line']}): {one['key']}")
    return 1 if left else 0


def _run(modules: list[str], report: Path) -> str:
    places = [str(ROOT / "tools"), str(ROOT / "pyclient"), str(ROOT / "tests")]
    out = os.dup(1)
    os.set_inheritable(out, True)
    environment = {
        **os.environ, MODULES: " ".join(modules), REPORT: str(report), "PYTHONPATH": os.pathsep.join(places),
        "FSMSTORE_MUTATION_OUT": str(out),
    }  # fmt: skip
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:cov", "-p", "mutate_client"]
    tests = os.environ.get("FSMSTORE_MUTATION_TESTS", "tests/client").split()
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, pass_fds=[out], check=False,
    )  # fmt: skip
    return ran.stdout


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
