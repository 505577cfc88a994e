"""Remembered functions over a changing world.

Code over this package is written as "compute everything from the current state", and a change costs what depends on
it. A program is a graph of keyed collections, declared once, each over collections that were declared before it:

* `Engine.source` – set and deleted from outside;
* `Engine.map` and `Engine.flat_map` – a function per key;
* `Engine.index` – groups of keys, to join by;
* `Engine.count`, `Engine.distinct`, `Engine.least`, `Engine.sorted` – folds per group;
* `Engine.union` – several collections with different keys as one;
* `Engine.collect` – what was added, changed or removed since the last time.

A function gets a `Read` as its first argument. What it reads through it is remembered per key, and the function runs
again for a key when one of exactly those values changes. A result that is equal to the one before stops there.
Functions must be pure: the same reads give the same result.

`Engine.run` visits the collections in the order of their declaration, so a function runs at most once per key and run,
and never sees half of a change. If a function raises, its last good result stays, the failure is in `Engine.failures`
until the function succeeds, and all other keys go on. The small functions that return a member's group and order have
no such guard: they must not raise.

Costs. A run looks at the changed keys and at what reads them; the number of other keys plays no part. Three things
grow with the size of a group: `Read.group` sorts its n members (O(n log n)), and `Engine.least` and `Engine.sorted`
copy tuples of n references per changed member, besides O(log n) comparisons. The value of a `sorted` fold is as long as
its group, and so is the work of a function that reads it. Declaring the n-th collection compares n names.

Memory. What is remembered besides values is most of what a program of many keys weighs, so it is kept flat: a key that
reads nothing, or has one reader, one output or one place in a group, costs one slot of a dictionary and no object.

References: Mokhov, Mitchell, Peyton Jones, *Build Systems à la Carte* (2018; this is a "self-adjusting" rebuilder with
a topological scheduler); Hammer et al., *Adapton* (2014); Istio's krt; salsa.
"""

from .collections import Collection, Failure, Source
from .collector import Collector, Delta
from .derived import Read
from .engine import Engine
from .index import Index

__all__ = ["Collection", "Collector", "Delta", "Engine", "Failure", "Index", "Read", "Source"]
