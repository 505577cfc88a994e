"""The fields of Kubernetes' built-in kinds, from a data file (`kubernetes.fields`).

The data has two readers: `headgate.localapi.http.protobuf` needs the field numbers, `schemas` needs names, types and
merge keys. A test compares it with the Go modules that define the kinds.
"""

import functools
import json
from importlib import resources
from typing import Any, Literal

import msgspec

#: Types that are not messages of the table. `schemas` and `protobuf` have their JSON form.
SCALARS = frozenset(
    {
        "string",
        "bool",
        "int32",
        "int64",
        "double",
        "bytes",
        "Time",
        "MicroTime",
        "Quantity",
        "IntOrString",
        "Strings",
        "Raw",
    }
)


class Field(msgspec.Struct, frozen=True):
    """One field of a message."""

    number: int
    #: The JSON name; empty if the fields of `type` are inlined.
    name: str
    #: A scalar or the full name of a message.
    type: str
    shape: Literal["one", "list", "map"] = "one"
    required: bool = False
    #: An absent value differs from zero.
    pointer: bool = False
    merge_key: str = ""
    strategy: str = ""
    #: Fields that identify an entry of the list.
    keys: tuple[str, ...] = ()
    #: The list is a set.
    set: bool = False
    default: Any = None


class Message(msgspec.Struct, frozen=True):
    """A message: `core.v1.Container` and its fields."""

    name: str
    fields: tuple[Field, ...]


def _field(line: str, package: str) -> Field:
    number, name, type_, *rest = line.split()
    shape: Literal["one", "list", "map"] = "one"
    if type_[0] in "[{":
        shape, type_ = ("list" if type_[0] == "[" else "map"), type_[1:-1]
    words = dict(word.partition("=")[::2] for word in rest)
    plain = name.rstrip("!?")
    return Field(
        number=int(number),
        name="" if plain == "-" else plain,
        type=type_ if type_ in SCALARS or "." in type_ else f"{package}.{type_}",
        shape=shape,
        required="!" in name,
        pointer="?" in name,
        merge_key=words.get("merge", ""),
        strategy=words.get("strategy", ""),
        keys=tuple(words["keys"].split(",")) if "keys" in words else (),
        set="set" in words,
        default=json.loads(words["default"]) if "default" in words else None,
    )


@functools.cache
def messages() -> dict[str, Message]:
    """Every message of the table by its full name (`core.v1.Container`, `meta.v1.ObjectMeta`)."""
    text = resources.files(__package__).joinpath("kubernetes.fields").read_text(encoding="utf-8")
    found: dict[str, list[Field]] = {}
    name = ""
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith(" "):
            found[name].append(_field(line, name.rpartition(".")[0]))
        else:
            name = line
            found[name] = []
    return {name: Message(name, tuple(fields)) for name, fields in found.items()}
