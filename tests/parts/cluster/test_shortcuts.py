"""Short ways to folders that lie too deep for Unix sockets."""

from pathlib import Path

import pytest

from headgate.cluster.errors import ClusterError
from headgate.cluster.shortcuts import LONGEST, shortcut


def deep(tmp_path: Path) -> Path:
    folder = tmp_path / ("d" * LONGEST)
    folder.mkdir()
    return folder


def test_a_short_path_is_taken_as_it_is() -> None:
    with shortcut(Path("/var/lib/headgate")) as way:
        assert way == Path("/var/lib/headgate")


def test_a_long_path_gets_a_short_link_for_as_long_as_it_is_needed(tmp_path: Path) -> None:
    folder = deep(tmp_path)
    with shortcut(folder) as way:
        assert len(str(way)) <= LONGEST
        assert way.samefile(folder)
    assert not way.is_symlink()


def test_a_link_that_a_killed_one_left_is_used_again(tmp_path: Path) -> None:
    folder = deep(tmp_path)
    with shortcut(folder) as way:
        pass
    way.symlink_to(folder)
    with shortcut(folder) as again:
        assert again == way


def test_something_else_in_the_way_is_refused(tmp_path: Path) -> None:
    folder = deep(tmp_path)
    with shortcut(folder) as way:
        pass
    way.symlink_to(tmp_path)
    try:
        with pytest.raises(ClusterError, match="is in the way"), shortcut(folder):
            pass
    finally:
        way.unlink()
