"""Files that are written whole or not at all."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from headgate.host.files import write_atomically, write_durably

Write = Callable[[Path, bytes], None]


@pytest.mark.parametrize("write", [write_atomically, write_durably])
def test_a_file_is_replaced_and_only_its_owner_reads_it(tmp_path: Path, write: Write) -> None:
    file = tmp_path / "secret"
    file.write_text("old")
    file.chmod(0o644)
    write(file, b"new")
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("write", [write_atomically, write_durably])
def test_a_write_that_fails_leaves_the_old_file_and_no_draft(tmp_path: Path, write: Write) -> None:
    folder = tmp_path / "secret"
    (folder / "a file").mkdir(parents=True)
    with pytest.raises(OSError, match="secret"):  # a folder is not replaced by a file
        write(folder, b"new")
    assert list(tmp_path.iterdir()) == [folder]
