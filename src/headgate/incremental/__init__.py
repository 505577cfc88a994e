"""Remembered functions over a changing world.

Code written against this package reads like "rebuild everything" and costs like "touch one key". A program is a graph
of keyed collections, declared once, each over collections declared before it:

* `Engine.source` – what comes from outside: `set` and `delete`;
* `Engine.map` and `Engine.flat_map` – a function per key;
* `Engine.index` – groups of keys, to join by;
* `Engine.count`, `Engine.distinct`, `Engine.least`, `Engine.sorted` – folds per group, O(log n) comparisons per change;
* `Engine.union` – several collections with different keys as one;
* `Engine.collect` – hands out what was added, changed or removed since the last time.

A function gets a `Read` as its first argument. What it reads through it is remembered, per key, and only a change of
exactly those keys runs it again. An equal result stops there. Functions must be pure: same reads, same result.

`Engine.run` visits the collections in the order of their declaration, so each function runs at most once per run and
never sees half a change. If a function raises, its last good result stays, the failure is kept in `Engine.failures`
until a run succeeds, and all other keys go on. The small functions that say a member's group and order are not guarded
like that: they must be total.

What is remembered besides values is most of what a program of many keys weighs, so it is kept flat: a key that reads
nothing, has one reader, one output or one place in a group costs one slot of a dictionary there, and no object.

References: Mokhov, Mitchell, Peyton Jones, *Build Systems à la Carte* (2018; this is a "self-adjusting" rebuilder with
a topological scheduler); Hammer et al., *Adapton* (2014); Istio's krt; salsa.
"""

from .collections import Collection, Failure, Read, Source
from .collector import Collector, Delta
from .engine import Engine
from .groups import Index

__all__ = ["Collection", "Collector", "Delta", "Engine", "Failure", "Index", "Read", "Source"]
