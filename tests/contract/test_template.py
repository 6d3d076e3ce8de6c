"""One name for each template, one place where it becomes a file, and what the file must say."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from fsmstore.contract import InvalidTemplate, Template, UnknownTemplate, template_name, template_path
from fsmstore.contract.machine import ContractStateMachine
from support.machines import PURCHASE

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "template",
    [
        "contract_templates/purchase_item.yaml",
        "/app/contract_templates/purchase_item.yaml",
        "C:\\app\\contract_templates\\purchase_item.YAML",
        "../../../../purchase_item.yml",
        "purchase_item.yaml",
        " purchase_item ",
        Path("/app/purchase_item.yaml"),
        {"contract_type": "purchase_item", "subtasks": []},
        {"subtasks": []},
        {"contract_type": 7},
        None,
        "",
        5,
        ["a"],
    ],
)
def test_whatever_was_stored_becomes_one_name(template: Any) -> None:
    assert template_name(template) == "purchase_item"


def test_the_template_of_each_generation(stored_context: Callable[[str], dict[str, Any]]) -> None:
    for generation in ("V1", "V1p", "V4", "V7"):
        assert template_name(stored_context(generation)["contract_template"]) == "purchase_item"


@pytest.mark.parametrize("template", ["contract_templates/", "..", "a b.yaml", "book-trip", "x\0.yaml", "é", "a\n"])
def test_what_cannot_be_a_name_is_refused(template: str) -> None:
    if template == "a\n":
        assert template_name(template) == "a"
        return
    with pytest.raises(UnknownTemplate, match="does not name a contract template"):
        template_name(template)


def test_a_stored_path_is_never_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("contract_type: secret")
    with pytest.raises(UnknownTemplate, match="there is no contract template 'secret': looked in"):
        template_path(str(secret))
    assert template_path(str(tmp_path / "purchase_item.yaml")).parent.name == "templates"
    with pytest.raises(UnknownTemplate, match="'hostname'"):
        template_path("../../../../etc/hostname")


def test_a_directory_of_ones_own_comes_first(tmp_path: Path) -> None:
    (tmp_path / "book_trip.yml").write_text("")
    assert template_path("x/book_trip.yaml", tmp_path) == tmp_path / "book_trip.yml"
    assert template_path(None, tmp_path) == template_path("purchase_item")
    (tmp_path / "purchase_item.yaml").write_text("")
    assert template_path(None, tmp_path) == tmp_path / "purchase_item.yaml"


def test_the_shipped_template_has_the_states_and_edges_of_the_machine() -> None:
    template = Template.read(template_path("purchase_item"))
    machine = PURCHASE["states"]
    assert (template.initial, template.contract_type) == (PURCHASE["initial"], PURCHASE["id"])
    assert template.states.keys() == machine.keys()
    everywhere = {event: target.removeprefix(".") for event, target in PURCHASE["on"].items()}
    for name, state in template.states.items():
        final = machine[name].get("type") == "final"
        assert (state.handler is None) == final
        edges = {} if final else {**machine[name]["on"], **everywhere}
        assert state.on.keys() == edges.keys()
        for event, branches in state.on.items():
            targets = edges[event] if isinstance(edges[event], list) else [{"target": edges[event]}]
            assert [
                {"target": branch.target}
                if branch.above is None
                else {"target": branch.target, "guard": f"$.{template.counted}.size() > {branch.above}"}
                for branch in branches
            ] == targets


WHOLE = "contract_type: t\ninitial: a\nstates: {a: {events: {GO: b}}, b: {}}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a", "its top level is no mapping"),
        ("a: [", "is no YAML"),
        ("!!python/object/apply:os.getcwd []", "is no YAML"),
        ("initial: a\nstates: {a: {}}", "KeyError: 'contract_type'"),
        ("contract_type: t\ninitial: a\nstates: [a]", "AttributeError"),
        ("contract_type: t\ninitial: a\nstates: {a: 1}", "TypeError"),
        (WHOLE.replace("GO: b", "GO: [{above: 1}]"), "KeyError: 'target'"),
        (WHOLE.replace("GO: b", "GO: [{target: b, above: much}]"), "ValueError"),
        (WHOLE.replace("GO: b", "GO: c"), "leads to states that it does not have: c"),
        (WHOLE.replace("initial: a", "initial: z"), "leads to states that it does not have: z"),
        (WHOLE.replace("b: {}", "b: {handler: nobody}"), "names a handler 'nobody'; there is purchase"),
    ],
)
def test_a_file_that_is_no_template_says_why(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "t.yaml").write_text(text)
    with pytest.raises(InvalidTemplate, match=r"t\.yaml") as caught:
        ContractStateMachine(tmp_path / "t.yaml")
    assert says in str(caught.value)


def test_where_an_event_leads_depends_on_the_counted_list() -> None:
    template = Template.read(template_path("purchase_item"))
    for length, target in ((0, "search"), (1, "collect_preferences"), (50, "collect_preferences")):
        assert template.target("search", "RESULTS", {"search_results": [0] * length}) == target
    assert template.target("search", "RESULTS", {"search_results": [0] * 51}) == "refine_constraints"
    assert template.target("search", "RESULTS", {"search_results": None}) == "search"
    with pytest.raises(LookupError, match="does not say where CONFIRM leads from search"):
        template.target("search", "CONFIRM", {})


def test_without_pyyaml_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'fsmstore\[contract\]'"):
        Template.read(template_path("purchase_item"))


def test_the_template_is_among_the_packages_files() -> None:
    assert resources.files("fsmstore.contract").joinpath("templates/purchase_item.yaml").is_file()


def test_the_wheel_contains_the_template(tmp_path: Path) -> None:
    build = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    assert "fsmstore/contract/templates/purchase_item.yaml" in zipfile.ZipFile(wheel).namelist()
