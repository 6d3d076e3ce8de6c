"""What comes with the package beside its code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fsmstore import shipped

ROOT = Path(__file__).parents[2]


def test_the_machine_is_the_one_of_the_sources() -> None:
    assert shipped.machine("purchase_item") == json.loads((ROOT / "db/machines/purchase_item.json").read_text("utf-8"))


def test_in_a_wheel_the_machine_lies_beside_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "_machines").mkdir()
    (tmp_path / "_machines" / "m.json").write_text('{"id": "m"}')
    monkeypatch.setattr(shipped, "_HERE", tmp_path)
    assert shipped.machine("m") == {"id": "m"}


def test_a_machine_that_is_not_shipped() -> None:
    with pytest.raises(FileNotFoundError, match=r"no machine 'nothing' is shipped: looked in .*db/machines"):
        shipped.machine("nothing")


def test_data_is_kept_in_the_checkout_or_the_users_own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shipped.data_place() == ROOT / ".fsmstore" / "db"
    monkeypatch.setattr(shipped, "_CHECKOUT", tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    assert shipped.data_place() == tmp_path / "xdg" / "fsmstore" / "db"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert shipped.data_place() == tmp_path / "home" / ".local" / "share" / "fsmstore" / "db"
