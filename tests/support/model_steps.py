"""Steps for the model and a database side by side: what a step does follows from its seed and where the model is."""

from __future__ import annotations

import json
import random
from typing import Any, ClassVar
from uuid import UUID

from .model import Session
from .model_arguments import Arguments
from .model_machines import SECOND
from .model_time import NEVER
from .model_world import World, agree

_SAVE = ("session_id", "state", "context", "expected_version", "event", "request_id", "turn")


class Steps(Arguments):
    """The steps. A step that is left out changes what the later ones do, but not what they are."""

    # How often each is done.
    WEIGHTS: ClassVar = {
        "create": 4, "save": 12, "send": 12, "to_and_fro": 8, "update": 6, "save_many": 6, "rollback": 6, "fork": 4,
        "delete": 3, "pause": 5, "until": 6, "fire": 9, "hold_up": 3, "begin_turn": 6, "extend_turn": 2,
        "end_turn": 4, "upgrade": 5, "trim": 3, "read": 8,
    }  # fmt: skip

    def __init__(self, world: World) -> None:
        super().__init__(world)
        for session_id, context, version in (("s-1", {"n": 3}, 1), ("s-2", {"n": 0}, 1), ("s-3", {"n": 3}, 2)):
            self._create(session_id, context, version, None)

    def step(self, seed: str) -> None:
        """Do one step, and see that the sessions are what the model has."""
        self.dice = random.Random(seed)
        [name] = self.dice.choices(list(self.WEIGHTS), list(self.WEIGHTS.values()))
        getattr(self, name)()
        self.world.compare_sessions()

    # Sessions.

    def create(self) -> None:
        version = self.dice.choice([1, 1, 2, None, None, 7])
        self._create(self.new_id(), self.context(), version, self.request())

    def save(self) -> None:
        world, item = self.world, self.item(self.any_id())
        name, state, context, expected, event, request, turn = item
        more = {"event": event, "request_id": request, "turn": turn}
        world.write(
            f"save {item}",
            lambda: world.model.save(*item),
            lambda: world.app.save(name, state, json.dumps(context), expected, **more),
        )

    def send(self) -> None:
        name = self.any_id()
        self._send(name, self.event(name), self.patch(), self.append(), self.expected(name), self.request())

    def to_and_fro(self) -> None:
        """The same way again and again, with a context that most guards take: single steps seldom go it."""
        name = self.any_id()
        for _ in range(self.dice.randint(3, 7)):
            if self.dice.random() < 0.15:
                self.until()
            self._send(name, self.way_back(name), {"n": 3, "log": []}, None, None, None)

    def update(self) -> None:
        world, name = self.world, self.any_id()
        patch, append, expected, request, turn = (
            self.patch(), self.append(), self.expected(name), self.request(), self.turn(name)
        )  # fmt: skip
        more = {"patch": patch, "append": append, "expected_version": expected, "request_id": request, "turn": turn}
        world.write(
            f"update {name} {more}",
            lambda: world.model.update(name, patch, append, expected, request, turn),
            lambda: world.app.update(name, **more),
        )

    def save_many(self) -> None:
        world, atomic = self.world, self.dice.random() < 0.5
        items = [self.item(self.any_id()) for _ in range(self.dice.randint(1, 2 if atomic else 4))]
        given = [
            {key: str(value) if isinstance(value, UUID) else value for key, value in zip(_SAVE, item, strict=True)}
            for item in items
        ]
        outcomes, rows = world.both(
            f"save_many {atomic} {items}",
            lambda: world.model.save_many(items, atomic),
            lambda: world.app.batch(given, atomic=atomic),
        )
        if outcomes is None:
            return
        agree([row.ordinal for row in rows], list(range(1, len(items) + 1)), "ordinals")
        for row, outcome in zip(rows, outcomes, strict=True):
            if outcome.refusal is not None:
                world.facts("save_many", outcome.refusal, row.sqlstate, row.detail)
            else:
                made = outcome.answer.row
                agree((row.ok, row.version, row.state), (True, made.version, made.state), "save_many")
        world.seen["atomic" if atomic else "batch"] += 1
        world.seen["batch with refusals"] += any(one.refusal for one in outcomes)

    def rollback(self) -> None:
        world, name = self.world, self.any_id()
        to_version, expected, request, turn = self.past(name), self.expected(name), self.request(), self.turn(name)
        world.write(
            f"rollback {name} to {to_version} {expected} {request} {turn}",
            lambda: world.model.rollback(name, to_version, expected, request, turn),
            lambda: world.app.rollback(name, to_version, expected, request_id=request, turn=turn),
        )

    def fork(self) -> None:
        world, name, new, request = self.world, self.any_id(), self.new_id(), self.request()
        version = self.past(name)
        world.write(
            f"fork {name} {version} as {new} {request}",
            lambda: world.model.fork(name, version, new, request),
            lambda: world.app.fork(name, version, new, request_id=request),
        )

    def delete(self) -> None:
        """Mostly to create it anew, with a request id that the one before may have had."""
        world, name = self.world, self.new_id()
        deleted, said = world.both(
            f"delete {name}",
            lambda: world.model.delete(name),
            lambda: world.admin.one("delete_session", session_id=name),
        )
        agree(said.delete_session, deleted, "delete_session")
        world.seen["delete"] += deleted
        if self.dice.random() < 0.7:
            self._create(name.removeprefix(world.prefix), {"n": 3}, None, self.request(often=True))

    # Time.

    def pause(self) -> None:
        by = self.dice.choice(
            [1, SECOND, 5 * SECOND, 30 * SECOND, 600 * SECOND, -1, -5 * SECOND, -30 * SECOND, -90 * SECOND]
        )
        self.world.wait(by)
        self.world.seen["step back"] += by < 0

    def until(self) -> None:
        """Until something is due, ends or is forgotten, to the microsecond."""
        self._until(self.world.model.moments(), self.dice.choice([0, 0, -1, 1]))

    def _until(self, moments: list[int], off: int) -> None:
        """Until the next of these moments, seldom the last."""
        left = [one + off - self.world.model.now for one in moments]
        self.world.wait(([one for one in left if one > 0][:: self.dice.choice([1, 1, 1, -1])] or [SECOND])[0])

    def fire(self) -> None:
        """Take the deadlines, mostly those that are due next, and where one was refused again and again."""
        for _ in range(self.dice.randint(1, 4)):
            how = self.dice.random()
            if how < 0.6:
                self._until(self.world.model.looks(), self.dice.choice([0, 0, 0, -1]))
            elif how < 0.8:
                self.world.wait(30 * SECOND)
            self._fire()

    def _fire(self) -> None:
        world, model = self.world, self.world.model
        order = {session.session_id: session.look or 0 for session in model.to_look_at()}
        # Which of two comes first that are looked at from the same moment on is not said.
        limit = self.dice.choice([None, None, 1, 2]) if len(set(order.values())) == len(order) else None
        expected, rows = world.both(
            f"fire {limit}", lambda: model.fire_deadlines(limit), lambda: world.app.fire(limit=limit)
        )
        looks = [order.get(row.session_id, 0) for row in rows]
        agree(looks, sorted(looks), "fire_deadlines: order")
        said = sorted((tuple(row)[:5] for row in rows), key=lambda row: str(row[0]))
        agree(said, sorted(expected, key=lambda row: row[0]), "fire_deadlines")
        for row in expected:
            world.seen["deadline" if row[4] is None else f"deadline {row[4]}"] += 1

    def hold_up(self) -> None:
        """Hold a session while its deadline is due, then end the turn or let it expire."""
        waiting = [one for one in self.world.model.sessions.values() if one.look is not None]
        if not waiting:
            return
        session = self.dice.choice(waiting)
        self._begin_turn(session.session_id, self.dice.choice([30, 600, 600]), None)
        self._until([one for one in [self.world.model.due(session)] if one < NEVER], 0)
        for _ in range(self.dice.randint(1, 2)):
            self._fire()
            self.dice.choice([self.pause, self.end_turn, self.end_turn])()
        self._fire()

    def begin_turn(self) -> None:
        self._begin_turn(self.any_id(), self.dice.choice([1, 30, 60, 600]), self.request(often=True))

    def _begin_turn(self, name: str, seconds: int, request: UUID | None) -> None:
        world = self.world
        known, said = world.both(
            f"begin_turn {name} {seconds} {request}",
            lambda: (world.model.begin_turn(name, request),),
            lambda: world.app.begin(name, "ann", ttl=f"{seconds} seconds", request_id=request),
        )
        if known is None:
            return
        begun = known[0] or world.model.begun(name, said.turn, "ann", seconds, request)
        session = world.model.sessions[name]
        expires = None if begun.expires is None else world.when(begun.expires)
        expected = {"turn": begun.turn, "expires_at": expires, **world.row_of(session, session.head)}
        agree(said._asdict(), expected, "begin_turn")
        world.seen["same turn" if known[0] else "turn"] += 1

    def extend_turn(self) -> None:
        world, name = self.world, self.holding()
        turn, seconds = self.turn(name) or 1, self.dice.choice([1, 60, 600])
        expires, said = world.both(
            f"extend_turn {name} {turn} {seconds}",
            lambda: world.model.extend_turn(name, turn, seconds),
            lambda: world.app.one("extend_turn", session_id=name, turn=turn, ttl=f"{seconds} seconds"),
        )
        if expires is not None:
            agree(said.extend_turn, world.when(expires), "extend_turn")
            world.seen["extended"] += 1

    def end_turn(self) -> None:
        world, name = self.world, self.holding()
        turn = self.turn(name) or 1
        ended, said = world.both(
            f"end_turn {name} {turn}",
            lambda: world.model.end_turn(name, turn),
            lambda: world.app.one("end_turn", session_id=name, turn=turn),
        )
        if ended is not None:
            agree(said.end_turn, ended, "end_turn")
            world.seen["ended"] += ended
            if self.dice.random() < 0.5:  # what had to wait for it
                self._fire()

    # Operations, and what only reads.

    def upgrade(self) -> None:
        world, machines = self.world, self.world.model.machines
        to, limit, dry_run = self.dice.choice([1, 2]), self.dice.choice([None, None, 1, 2]), self.dice.random() < 0.3
        old, new = list(machines[3 - to].states), list(machines[to].states)
        mapped = {self.dice.choice(old): self.dice.choice(new) for _ in range(self.dice.randint(0, 2))}
        patch = self.dice.choice([None, None, {"n": 3}, {"n": 1, "log": None}, {"n": "x"}])
        expected, rows = world.both(
            f"upgrade to {to} {mapped} {patch} {limit} dry {dry_run}",
            lambda: world.model.upgrade(to, mapped, patch or {}, limit, dry_run),
            lambda: world.admin.rows(
                "upgrade_sessions", machine=world.name, from_version=3 - to, to_version=to, state_map=mapped,
                patch=patch, limit=limit, dry_run=dry_run,
            ),
        )  # fmt: skip
        said = [(row.from_state, row.to_state, row.sessions, row.code, row.last_session_id) for row in rows]
        agree(sorted(said, key=lambda row: (row[0], row[3] or "", row[1])), expected, "upgrade_sessions")
        for row in expected:
            world.seen[f"upgrade {row[3] or 'done'}"] += not dry_run

    def trim(self) -> None:
        world, keep, keep_for = self.world, self.dice.randint(1, 4), self.dice.choice([0, 0, 30])
        if self.dice.random() < 0.6:
            self._until(world.model.forgotten(keep_for), 0)
        removed, said = world.both(
            f"trim {keep} {keep_for}",
            lambda: world.model.trim(keep, keep_for),
            lambda: world.admin.one("trim_history", keep_versions=keep, limit=None, keep_for=f"{keep_for} seconds"),
        )
        agree(said.trim_history, removed, "trim_history")
        world.seen["trimmed"] += removed > 0

    def read(self) -> None:
        """What loops there are, what is allowed, and the session as it was at some moment."""
        world, name = self.world, self.any_id()
        loops, rows = world.both(
            f"detect_loop {name}",
            lambda: world.model.loops(name),
            lambda: world.app.rows("detect_loop", session_id=name),
        )
        if loops is None:
            return
        said = [(r.from_state, r.to_state, r.occurrences, r.loop_limit, r.first_at, r.last_at) for r in rows]
        agree(said, [(*one[:4], world.when(one[4]), world.when(one[5])) for one in loops], "detect_loop")
        world.seen["loops"] += bool(loops)
        allowed = [(r.event, r.to_state, r.guard, r.allowed) for r in world.app.rows("allowed_events", session_id=name)]
        expected = [
            (*one[:3], said[3] if one[3] is None else one[3])
            for one, said in zip(world.model.allowed(name), allowed, strict=True)
        ]
        agree(allowed, expected, f"allowed_events {name}")
        session: Session = world.model.sessions[name]
        at = self.dice.choice([row.at for row in session.rows]) + self.dice.choice([-1, 0, 1])
        row = world.model.as_of(name, at)
        then = world.app.rows("session_as_of", session_id=name, at=world.when(at))
        agree([one._asdict() for one in then], [world.row_of(session, row)] if row else [], "session_as_of")
        world.compare_past(session)

    # What steps have in common.

    def _create(self, session_id: str, context: Any, version: int | None, request: Any) -> None:
        world, name = self.world, self.world.id(session_id.removeprefix(self.world.prefix))
        more = {"machine_version": version, "request_id": request}
        world.write(
            f"create {name} {context} {more}",
            lambda: world.model.create(name, context, version, request),
            lambda: world.app.create(name, world.name, context=json.dumps(context), **more),
        )

    def _send(self, name: str, event: str, patch: Any, append: Any, expected: int | None, request: Any) -> None:
        world, turn = self.world, self.turn(name)
        more = {"patch": patch, "append": append, "expected_version": expected, "request_id": request, "turn": turn}
        world.write(
            f"send {name} {event} {more}",
            lambda: world.model.send(name, event, patch, append, expected, request, turn),
            lambda: world.app.send(name, event, **more),
        )
