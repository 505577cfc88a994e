"""The README names what a bare Debian needs, and continuous integration installs nothing else."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_continuous_integration_installs_what_the_readme_names() -> None:
    line = re.search(r"apt-get install (?:-\S+ )*([a-z0-9 -]+)", (ROOT / "README.md").read_text())
    assert line is not None
    script = (ROOT / ".ci" / "run").read_text()
    by_program = re.findall(r"\[\w+\]=([\w-]+)", script)
    others = re.findall(r"\|\| echo ([a-z][\w-]+)$", script, re.MULTILINE)
    assert set(line[1].split()) == {*by_program, *others}
