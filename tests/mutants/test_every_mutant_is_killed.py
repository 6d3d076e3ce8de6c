"""The tests fail for every planted fault: those that are meant for it are run in a process of their own.

A sample in a run of all tests; `make mutants` plants them all.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.mutant_list import MUTANTS
from support.mutants import MUTANT

ROOT = Path(__file__).parents[2]
EVERY = 8
PLANTED = os.environ.get(MUTANT)
CHOSEN = list(MUTANTS) if os.environ.get("FSMSTORE_MUTANTS") == "all" else list(MUTANTS)[::EVERY]


@pytest.mark.parametrize("name", CHOSEN)
def test_some_test_fails(name: str) -> None:
    assert PLANTED is None
    environment = {**os.environ, MUTANT: name, "FSMSTORE_TEST_RUN": f"m{os.getpid()}"}
    for variable in [one for one in environment if one.startswith(("PYTEST_", "COV_", "COVERAGE_"))]:
        del environment[variable]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:cov", *MUTANTS[name].tests],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    # 1 is failed tests; an error in setting up, such as a mutant that could not be planted, is no kill.
    assert (done.returncode, "ERROR at setup" in done.stdout) == (1, False), done.stdout[-3000:]
