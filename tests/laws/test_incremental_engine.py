"""Laws of `headgate.incremental`, over random programs and random edits."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headgate.incremental import Collection, Engine, Read, Source

KEYS = st.integers(0, 5)
VALUES = st.integers(0, 9)


def number(value: object) -> int:
    """Any value as a number, the same in every run."""
    return zlib.crc32(repr(value).encode())


class Program:
    """Collections over two sources, as a list of numbers says: each picks a form and what it is over."""

    def __init__(self, recipe: Iterable[tuple[int, int, int]]) -> None:
        self.engine = Engine()
        self.sources: tuple[Source[Any, Any], ...] = (self.engine.source("s0"), self.engine.source("s1"))
        self.collections: list[Collection[Any, Any]] = list(self.sources)
        for at, (form, over, other) in enumerate(recipe):
            make = FORMS[form % len(FORMS)]
            pick = self.collections[over % len(self.collections)], self.collections[other % len(self.collections)]
            self.collections.append(make(self.engine, f"c{at}", *pick))

    def edit(self, edit: tuple[int, int, int | None]) -> None:
        source, key, value = edit
        if value is None:
            self.sources[source].delete(key)
        else:
            self.sources[source].set(key, value)

    def everything(self) -> dict[str, dict[Any, Any]]:
        """What every collection holds; an index only its groups."""
        return {each.name: dict(each.items()) for each in self.collections}


def _map(engine: Engine, name: str, over: Collection[Any, Any], other: Collection[Any, Any]) -> Collection[Any, Any]:
    def function(read: Read, key: Any, value: Any) -> Any:
        seen = read(other, key), read(other, number(value) % 6)
        return None if number(value) % 5 == 0 else number((key, value, seen)) % 97

    return engine.map(name, over, function)


def _flat(engine: Engine, name: str, over: Collection[Any, Any], other: Collection[Any, Any]) -> Collection[Any, Any]:
    def function(read: Read, key: Any, value: Any) -> Iterable[tuple[Any, Any]]:
        for at in range(number(value) % 3):
            yield (key, at), number((value, read(other, at))) % 97

    return engine.flat_map(name, over, function)


def _joined(engine: Engine, name: str, over: Collection[Any, Any], other: Collection[Any, Any]) -> Collection[Any, Any]:
    index = engine.index(f"{name} index", other, lambda key, value: {number(value) % 4, number(key) % 4})

    def function(read: Read, _key: Any, value: Any) -> Any:
        members = read.group(index, number(value) % 4)
        return tuple((member, read(other, member)) for member in members)

    return engine.map(name, over, function)


def _group(_key: Any, value: Any) -> int | None:
    group = number(value) % 4
    return group if group else None


FORMS: list[Callable[[Engine, str, Collection[Any, Any], Collection[Any, Any]], Collection[Any, Any]]] = [
    _map,
    _flat,
    _joined,
    lambda engine, name, over, _other: engine.count(name, over, _group),
    lambda engine, name, over, _other: engine.distinct(name, over, _group, lambda group: ("group", group)),
    lambda engine, name, over, _other: engine.least(name, over, _group, lambda _key, value: number(value)),
    lambda engine, name, over, _other: engine.sorted(name, over, _group, lambda _key, value: number(value)),
    lambda engine, name, over, other: engine.union(
        name,
        engine.flat_map(f"{name} left", over, lambda _read, key, value: [(("left", number(key)), value)]),
        engine.flat_map(f"{name} right", other, lambda _read, key, value: [(("right", number(key)), value)]),
    ),
]

RECIPES = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=7)
EDITS = st.lists(st.tuples(st.integers(0, 1), KEYS, st.none() | VALUES), max_size=25)


@given(RECIPES, EDITS, st.integers(1, 6))
def test_what_is_remembered_is_what_is_computed_from_scratch(
    recipe: list[tuple[int, int, int]], edits: list[tuple[int, int, int | None]], every: int
) -> None:
    remembered = Program(recipe)
    for at, edit in enumerate(edits):
        remembered.edit(edit)
        if at % every == 0:
            remembered.engine.run()
    remembered.engine.run()
    scratch = Program(recipe)
    for source, new in zip(remembered.sources, scratch.sources, strict=True):
        for key, value in source.items():
            new.set(key, value)
    scratch.engine.run()
    assert not remembered.engine.failures
    assert remembered.everything() == scratch.everything()


@given(RECIPES, EDITS)
def test_a_second_run_runs_no_function(
    recipe: list[tuple[int, int, int]], edits: list[tuple[int, int, int | None]]
) -> None:
    program = Program(recipe)
    for edit in edits:
        program.edit(edit)
    program.engine.run()
    program.engine.runs.clear()
    program.engine.run()
    assert not program.engine.runs


@given(RECIPES, EDITS, st.integers(1, 6))
def test_what_a_collector_hands_out_adds_up_to_the_collection(
    recipe: list[tuple[int, int, int]], edits: list[tuple[int, int, int | None]], every: int
) -> None:
    program = Program(recipe)
    last = program.collections[-1]
    collector, mirror = program.engine.collect(last), dict[Any, Any]()
    for at, edit in enumerate(edits):
        program.edit(edit)
        program.engine.run()
        if at % every == 0:
            delta = collector.take()
            assert not delta.removed - mirror.keys()
            assert all(mirror.get(key) != value or key not in mirror for key, value in delta.set.items())
            mirror = {key: value for key, value in mirror.items() if key not in delta.removed} | delta.set
    delta = collector.take()
    mirror = {key: value for key, value in mirror.items() if key not in delta.removed} | delta.set
    assert mirror == dict(last.items())
    assert not collector.take()


@given(st.dictionaries(KEYS, VALUES), st.lists(st.tuples(KEYS, VALUES), max_size=15))
def test_a_function_that_fails_keeps_its_last_result_and_all_other_keys_go_on(
    first: dict[int, int], edits: list[tuple[int, int]]
) -> None:
    engine = Engine()
    source: Source[int, int] = engine.source("numbers")

    def inverse(_read: Read, _key: int, value: int) -> float:
        return 1 / value

    inverses = engine.map("inverses", source, inverse)
    good: dict[int, float] = {}
    for key, value in [*first.items(), *edits]:
        source.set(key, value)
        engine.run()
        if value:
            good[key] = 1 / value
        assert dict(inverses.items()) == good
        assert {at for _, at in engine.failures} == {at for at, now in source.items() if now == 0}
