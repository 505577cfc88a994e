"""Mount paths in texts."""

from __future__ import annotations

import pytest

from headgate.node.mounts import MountPaths

MOUNTS = MountPaths({"/etc/thing": "/data/v1", "/etc/thing/deep": "/data/v2", "/": "/never"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/etc/thing", "/data/v1"),
        ("/etc/thing/file", "/data/v1/file"),
        ("--file=/etc/thing/file", "--file=/data/v1/file"),
        ('{"path":"/etc/thing/a","b":"/etc/thing/b"}', '{"path":"/data/v1/a","b":"/data/v1/b"}'),
        ("file:///etc/thing/x", "file:///data/v1/x"),
        ("/etc/thing/deep/file", "/data/v2/file"),
        ("/etc/things", "/etc/things"),
        ("/etc/thing.bak", "/etc/thing.bak"),
        ("/etc/thing-2", "/etc/thing-2"),
        ("read /etc/thing.", "read /data/v1."),
        ("/my/etc/thing", "/my/etc/thing"),
        ("./etc/thing", "./etc/thing"),
        ("nothing", "nothing"),
    ],
)
def test_whole_paths_are_replaced_and_nothing_else(text: str, expected: str) -> None:
    assert MOUNTS(text) == expected


def test_what_was_replaced_is_not_replaced_again() -> None:
    assert MountPaths({"/data": "/data/pods/data"})("/data/x") == "/data/pods/data/x"


def test_without_mounts_texts_stay() -> None:
    assert MountPaths({})("/etc/thing") == "/etc/thing"
