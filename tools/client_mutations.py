"""Small faults in the Python client: what somebody could have written instead, one place at a time.

A mutation changes the syntax tree of one function, or of one constant of a module. Types, docstrings, decorators and
defaults of arguments are left alone: they are fixed when a module is imported.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any

_FLIPS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
Definition = ast.FunctionDef | ast.AsyncFunctionDef
_Edit = tuple[str, Callable[[Any], object]]


# A place is the way from the module to a node: (field, index or None) for each step.
_Place = tuple[tuple[str, int | None], ...]


@dataclass(frozen=True)
class Mutation:
    """One fault: `before` became `after` in a function, or in a constant where `function` is empty."""

    module: str
    function: str
    line: int
    before: str
    after: str
    place: _Place
    number: int
    """Which of the faults of the place it is."""

    @property
    def key(self) -> str:
        """What the list of allowed survivors knows it by: it does not move with the lines."""
        return f"{self.module}.{self.function or '<module>'}: {self.before} -> {self.after}"

    def compiled(self, path: Path) -> CodeType:
        """Return the code of the whole module with the fault."""
        tree = ast.parse(path.read_text())
        node = _follow(tree, self.place)
        _put(tree, self.place, _edits(node)[self.number][1](node))
        return compile(ast.fix_missing_locations(tree), str(path), "exec")


def mutations(path: Path) -> list[Mutation]:
    """Return every fault that can be put into a module."""
    tree = ast.parse(path.read_text())
    found: dict[str, Mutation] = {}
    for function, place in _places(tree):
        node = _follow(tree, place)
        edits = _edits(node)
        before = _short(node) if edits else ""
        for number in range(len(edits)):
            changed = copy.deepcopy(node)
            said, edit = _edits(changed)[number]
            after = said or _short(edit(changed))
            mutation = Mutation(path.stem, function, getattr(node, "lineno", 0), before, after, place, number)
            found.setdefault(f"{mutation.key} {mutation.line}", mutation)
    return list(found.values())


def _places(tree: ast.Module) -> Iterator[tuple[str, _Place]]:
    def visit(node: ast.AST, place: _Place, names: tuple[str, ...], inside: bool) -> Iterator[tuple[str, _Place]]:
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list", "args") and not isinstance(node, ast.Call):
                continue
            for index, child in enumerate(value if isinstance(value, list) else [value]):
                if not isinstance(child, ast.AST):
                    continue
                here = (*place, (field, index if isinstance(value, list) else None))
                if isinstance(child, ast.ClassDef):
                    yield from visit(child, here, (*names, child.name), False)
                elif isinstance(child, Definition):
                    named = names if inside else (*names, child.name)
                    yield from visit(child, here, named, True)
                elif inside or (not names and isinstance(child, (ast.Assign, ast.AnnAssign))):
                    if inside:
                        yield ".".join(names), here
                    yield from visit(child, here, names, True) if inside else _constant(child, here)

    yield from visit(tree, (), (), False)


def _constant(node: ast.AST, place: _Place) -> Iterator[tuple[str, _Place]]:
    """The numbers, truths and collections of a module's constant."""
    for field, value in ast.iter_fields(node):
        if field == "annotation":
            continue
        for index, child in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(child, ast.AST):
                here = (*place, (field, index if isinstance(value, list) else None))
                yield "", here
                yield from _constant(child, here)


def _follow(tree: ast.AST, place: _Place) -> ast.AST:
    node = tree
    for field, index in place:
        value = getattr(node, field)
        node = value if index is None else value[index]
    return node


def _put(tree: ast.AST, place: _Place, replaced: object) -> None:
    parent = _follow(tree, place[:-1])
    field, index = place[-1]
    value = getattr(parent, field)
    new: list[object] = replaced if isinstance(replaced, list) else [replaced]
    for node in new:
        if isinstance(node, ast.AST):
            ast.copy_location(node, value if index is None else value[index])
    if index is None:
        setattr(parent, field, replaced)
    else:
        value[index : index + 1] = new


def _short(node: object) -> str:
    if isinstance(node, list):
        node = ast.Module(body=node, type_ignores=[])
    assert isinstance(node, ast.AST)
    text = ast.unparse(ast.fix_missing_locations(copy.deepcopy(node)))
    return " ".join(text.split())[:110]


def _edits(node: ast.AST) -> list[_Edit]:
    """What a node can become: a word for it (empty: its own text) and how."""
    made: list[_Edit] = []
    if isinstance(node, ast.Compare):
        for nth, operator in enumerate(node.ops):
            if type(operator) in _FLIPS:
                made.append(("", partial(_compared, nth=nth)))
    elif isinstance(node, ast.BoolOp):
        made.append(("", lambda n: _set(n, op=ast.Or() if isinstance(n.op, ast.And) else ast.And())))
    elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        made.append(("", lambda n: _set(n, op=_ARITHMETIC[type(n.op)]())))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        made.append(("", lambda n: n.operand))
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        made.append(("", lambda n: ast.Constant(not n.value if isinstance(n.value, bool) else n.value + 1)))
    elif isinstance(node, ast.IfExp):
        made.append(("", lambda n: _set(n, body=n.orelse, orelse=n.body)))
    elif isinstance(node, ast.If) and isinstance(node.test, (ast.Name, ast.Attribute, ast.Call)):
        made.append((f"if not {_short(node.test)}", lambda n: _set(n, test=ast.UnaryOp(ast.Not(), n.test))))
    elif isinstance(node, ast.Return) and node.value is not None and not _is(node.value, None):
        made.append(("return None", lambda n: ast.Return(ast.Constant(None))))
    elif isinstance(node, (ast.Assign, ast.AugAssign, ast.Raise, ast.Continue, ast.Break, ast.Delete)) or (
        isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant)
    ):
        made.append(("nothing", lambda n: ast.Pass()))
    elif isinstance(node, ast.With) and all(item.optional_vars is None for item in node.items):
        made.append(("its body alone", lambda n: n.body))
    elif isinstance(node, ast.ExceptHandler) and node.type is not None:
        made += _handled(node)
    if isinstance(node, ast.Set):
        made += [("", partial(_without, field="elts", nth=nth)) for nth in range(len(node.elts))]
    if isinstance(node, ast.Call):
        made += [("", partial(_without, field="keywords", nth=nth)) for nth, one in enumerate(node.keywords) if one.arg]
    return made


def _is(node: ast.AST, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _compared(node: ast.AST, nth: int) -> ast.AST:
    assert isinstance(node, ast.Compare)
    node.ops[nth] = _FLIPS[type(node.ops[nth])]()
    return node


def _handled(node: ast.ExceptHandler) -> list[_Edit]:
    """Catch less: nothing at all, or all but one of the kinds."""
    if not isinstance(node.type, ast.Tuple):
        return [("except ()", lambda n: _set(n, type=ast.Tuple([], ast.Load())))]
    kinds = [_short(one) for one in node.type.elts]
    return [(f"except without {kinds[nth]}", partial(_catches_less, nth=nth)) for nth in range(len(kinds))]


def _catches_less(node: ast.ExceptHandler, nth: int) -> ast.AST:
    assert node.type is not None
    return _set(node, type=_without(node.type, "elts", nth))


def _set(node: ast.AST, **fields: object) -> ast.AST:
    for name, value in fields.items():
        setattr(node, name, value)
    return node


def _without(node: ast.AST, field: str, nth: int) -> ast.AST:
    del getattr(node, field)[nth]
    return node
