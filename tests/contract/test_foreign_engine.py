"""An engine's own classes plug in: nothing of ours but the database is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fsmstore import InvalidContext, SessionStore, VersionConflict
from fsmstore.contract import SwisperContext, UnifiedSessionStore, template_path
from support.engine import Engine, EngineContext, Phase, SlottedEngine


def test_its_own_context_is_rebuilt_by_its_own_class(app_dsn: str) -> None:
    with UnifiedSessionStore(app_dsn, fsm_factory=Engine) as store:
        engine = Engine("/app/contract_templates/purchase_item.yaml")
        engine.context = EngineContext(phase=Phase.SEARCH, query="kettle", found=[{"name": "a"}])
        assert store.save_fsm_state("s-1", engine)
        loaded = store.load_fsm_state("s-1")
        assert isinstance(loaded, Engine)
        assert loaded.contract_template == str(template_path("purchase_item"))
        assert loaded.context == EngineContext("s-1", Phase.SEARCH, "kettle", [{"name": "a"}], "purchase_item")
        loaded.context.phase = Phase.REFINE  # one result is no reason to refine
        assert store.save_fsm_state("s-1", loaded) is False
        assert isinstance(loaded.context, EngineContext)
        assert loaded.context.phase is Phase.SEARCH


@pytest.mark.parametrize(
    "template",
    ["contract_templates/purchase_item.yaml", "purchase_item", {"contract_type": "purchase_item"}, None, 5],
)
def test_its_template_may_be_anything_that_was_ever_stored(app_dsn: str, sessions: SessionStore, template: Any) -> None:
    with UnifiedSessionStore(app_dsn, fsm_factory=Engine) as store:
        assert store.save_fsm_state("s-1", Engine(template))
    stored = sessions.load("s-1")
    assert stored is not None
    assert (stored.machine, stored.context["contract_template"]) == ("purchase_item", "purchase_item")


def test_a_context_without_a_way_back_becomes_a_swisper_context(app_dsn: str) -> None:
    class Bare:
        def to_dict(self) -> dict[str, Any]:
            return {"current_state": "start", "session_id": None, "odd": 1}

    class BareEngine(Engine):
        def __init__(self, template_path: Any = None) -> None:
            super().__init__(template_path)
            self.context = Bare()

    with UnifiedSessionStore(app_dsn, fsm_factory=BareEngine) as store:
        assert store.save_fsm_state("s-1", BareEngine())
        context = store.load_fsm_state("s-1").context
        assert isinstance(context, SwisperContext)
        assert (context.session_id, context.current_state, context.odd) == ("s-1", "start", 1)


def test_templates_of_its_own(app_dsn: str, tmp_path: Path) -> None:
    (tmp_path / "purchase_item.yaml").write_text("whatever this engine reads")
    with UnifiedSessionStore(app_dsn, fsm_factory=Engine, template_directory=tmp_path) as store:
        store.save_fsm_state("s-1", Engine())
        assert store.load_fsm_state("s-1").contract_template == str(tmp_path / "purchase_item.yaml")


def test_a_session_that_was_made_elsewhere_is_of_its_machine(
    app_dsn: str, sessions: SessionStore, tmp_path: Path
) -> None:
    sessions.create("s-1", "strict_purchase", {})
    shipped = template_path("purchase_item").read_text("utf-8")
    (tmp_path / "strict_purchase.yaml").write_text(shipped.replace("purchase_item", "strict_purchase"))
    with UnifiedSessionStore(app_dsn, template_directory=tmp_path) as store:
        fsm = store.load_fsm_state("s-1")
        assert fsm.contract_template == str(tmp_path / "strict_purchase.yaml")
        assert (fsm.context.contract_type, fsm.context.contract_template) == ("strict_purchase", "strict_purchase")


def test_an_object_that_cannot_be_remembered_saves_over_what_is_there(app_dsn: str, sessions: SessionStore) -> None:
    with UnifiedSessionStore(app_dsn, fsm_factory=SlottedEngine) as store:
        assert store.save_fsm_state("s-1", SlottedEngine())
        loaded = store.load_fsm_state("s-1")
        sessions.update("s-1", {"beside": True})
        assert store.save_fsm_state("s-1", loaded)
        plain = Engine()
        plain.context = EngineContext.from_dict(loaded.context.to_dict())
        assert store.save_fsm_state("s-1", plain)
        sessions.update("s-1", {"beside": False})
        assert store.save_fsm_state("s-1", plain) is False
        assert isinstance(store.last_refusal, VersionConflict)


def test_a_context_that_gives_no_dict_or_no_state(app_dsn: str) -> None:
    class Broken:
        def __init__(self, data: Any) -> None:
            self.data = data

        def to_dict(self) -> Any:
            return self.data

    with UnifiedSessionStore(app_dsn, fsm_factory=Engine) as store:
        engine = Engine()
        engine.context = Broken([1])
        with pytest.raises(TypeError, match=r"to_dict\(\) of a context returns a dict, not list"):
            store.save_fsm_state("s-1", engine)
        engine.context = Broken({"current_state": 7})
        assert store.save_fsm_state("s-1", engine) is False
        assert isinstance(store.last_refusal, InvalidContext)
        assert store.last_refusal.path == "$.current_state"
