"""Short paths to deep folders."""

from __future__ import annotations

from pathlib import Path

from headgate.host.socket_paths import MAX_LENGTH, short_path


def test_a_short_folder_is_used_as_it_is(tmp_path: Path) -> None:
    folder = Path("/tmp") / tmp_path.name[:20]
    with short_path(folder, tmp_path / "note") as found:
        assert found == folder
    folder.rmdir()


def test_a_long_folder_is_reached_by_a_short_link(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 60) / "pods"
    with short_path(folder, tmp_path / "note") as found:
        (found / "file").write_text("here")
        assert len(str(found)) <= MAX_LENGTH
        assert (folder / "file").read_text() == "here"
        place = found.parent
    assert not place.exists()


def test_a_link_that_was_left_behind_is_removed_by_the_next_one(tmp_path: Path) -> None:
    left = tmp_path / "headgate-left"
    left.mkdir()
    (tmp_path / "note").write_text(str(left))
    with short_path(tmp_path / ("x" * 60), tmp_path / "note"):
        assert not left.exists()


def test_a_note_that_leads_elsewhere_removes_nothing(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "note").write_text(str(tmp_path / "precious"))
    with short_path(tmp_path / ("x" * 60), tmp_path / "note"):
        assert (tmp_path / "precious").exists()
