"""Protobuf request bodies of built-in kinds, as plain JSON values.

kubectl and client-go send `application/vnd.kubernetes.protobuf` for kinds they have Go types for, and do not fall
back to JSON when that is refused. The envelope is `k8s\\0` and a `runtime.Unknown`. The fields of each message are
in `headgate.localapi.resources.kinds`. Go encodes every field that is not a pointer, also an empty one, so this
decoder drops empty fields as Go's JSON encoder (`omitempty`) does.
"""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from headgate.localapi.resources.kinds.fields import Field, messages

MAGIC = b"k8s\x00"
CONTENT_TYPE = "application/vnd.kubernetes.protobuf"

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ProtobufError(ValueError):
    """The bytes are not a protobuf message of a supported kind."""


def decode(body: bytes) -> dict[str, Any]:
    """An object from its envelope, with `apiVersion` and `kind`. Raises `ProtobufError`."""
    if not body.startswith(MAGIC):
        raise ProtobufError("the body does not begin with the Kubernetes protobuf magic 'k8s\\0'")
    api_version = kind = ""
    raw = b""
    for number, _, value in _parts(body[len(MAGIC) :]):
        if number == 1 and isinstance(value, bytes):
            names = {n: v.decode() for n, _, v in _parts(value) if isinstance(v, bytes)}
            api_version, kind = names.get(1, ""), names.get(2, "")
        elif number == 2 and isinstance(value, bytes):
            raw = value
    name = _message_name(api_version, kind)
    if name not in messages():
        raise ProtobufError(f"no protobuf form of {kind!r} in {api_version!r} is known here; JSON works for every kind")
    return {"apiVersion": api_version, "kind": kind} | _message(name, raw)


def _message_name(api_version: str, kind: str) -> str:
    """`apps/v1`, `Deployment` -> `apps.v1.Deployment`. DeleteOptions may have any group."""
    group, _, version = api_version.rpartition("/")
    if kind == "DeleteOptions":
        return "meta.v1.DeleteOptions"
    return f"{group.partition('.')[0] or 'core'}.{version}.{kind}"


def _message(name: str, raw: bytes) -> dict[str, Any]:
    fields = {field.number: field for field in messages()[name].fields}
    found: dict[str, Any] = {}
    for number, wire, value in _parts(raw):
        field = fields.get(number)
        if field is None:
            continue
        if field.name == "":
            found |= _message(field.type, _bytes(value))
        elif field.shape == "map":
            key, item = _entry(field, value)
            found.setdefault(field.name, {})[key] = item
        elif field.shape == "list":
            found.setdefault(field.name, []).extend(_items(field, wire, value))
        else:
            plain = _plain(field.type, value)
            if field.pointer or field.required or plain not in ("", 0, False, None, {}, "0"):
                found[field.name] = plain
    return found


def _items(field: Field, wire: int, value: int | bytes) -> Iterator[Any]:
    """The values of a repeated field; numbers may be packed."""
    if field.type in {"int32", "int64", "bool"} and wire == _BYTES and isinstance(value, bytes):
        at = 0
        while at < len(value):
            number, at = _varint(value, at)
            yield _plain(field.type, number)
    else:
        yield _plain(field.type, value)


def _entry(field: Field, value: int | bytes) -> tuple[str, Any]:
    """One entry of a map: key in field 1, value in field 2."""
    key, item = "", _plain(field.type, b"")
    for number, _, part in _parts(_bytes(value)):
        if number == 1 and isinstance(part, bytes):
            key = part.decode()
        elif number == 2:
            item = _plain(field.type, part)
    return key, item


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ProtobufError("found a number where a message should be")
    return value


def _plain(type_: str, value: int | bytes) -> Any:  # noqa: PLR0911 - one return per type
    """The JSON value of a scalar or a message."""
    if isinstance(value, int):
        if type_ == "bool":
            return bool(value)
        return value - (1 << 64) if value >= 1 << 63 else value
    match type_:
        case "string":
            return value.decode()
        case "bytes":
            return base64.b64encode(value).decode()
        case "Time" | "MicroTime":
            return _time(value, micro=type_ == "MicroTime")
        case "Quantity":
            return next((v.decode() for n, _, v in _parts(value) if n == 1 and isinstance(v, bytes)), "0")
        case "IntOrString":
            return _int_or_string(value)
        case "Strings":
            return [v.decode() for n, _, v in _parts(value) if n == 1 and isinstance(v, bytes)]
        case "Raw":
            return _raw(value)
        case _ if type_ in messages():
            return _message(type_, value)
    raise ProtobufError(f"cannot read a {type_}")


def _time(raw: bytes, *, micro: bool) -> str | None:
    """RFC 3339 of seconds and nanoseconds; an empty message is no time."""
    parts = {n: _plain("int64", v) for n, _, v in _parts(raw)}
    if not parts:
        return None
    try:
        moment = _EPOCH + timedelta(seconds=parts.get(1, 0), microseconds=parts.get(2, 0) // 1000)
    except (OverflowError, TypeError):
        raise ProtobufError("a time is out of range") from None
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")


def _int_or_string(raw: bytes) -> int | str | None:
    parts = {n: v for n, _, v in _parts(raw)}
    if parts.get(1, 0) == 1:
        text = parts.get(3, b"")
        return text.decode() if isinstance(text, bytes) else ""
    return _plain("int32", parts.get(2, 0)) or 0


def _raw(raw: bytes) -> Any:
    import msgspec  # noqa: PLC0415 - managed fields only, which are not read

    body = next((v for n, _, v in _parts(raw) if n == 1 and isinstance(v, bytes)), b"")
    return msgspec.json.decode(body) if body else None


def _parts(raw: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Field number, wire type and value of each part of a message."""
    at, end = 0, len(raw)
    while at < end:
        tag, at = _varint(raw, at)
        number, wire = tag >> 3, tag & 7
        value: int | bytes
        if wire == _VARINT:
            value, at = _varint(raw, at)
        elif wire == _BYTES:
            size, at = _varint(raw, at)
            value, at = raw[at : at + size], at + size
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
            value, at = int.from_bytes(raw[at : at + size], "little"), at + size
        else:
            raise ProtobufError(f"wire type {wire} of field {number} is not used by Kubernetes")
        if at > end:
            raise ProtobufError(f"field {number} is cut off")
        yield number, wire, value


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(raw):
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ProtobufError("a number is cut off")
