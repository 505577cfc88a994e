"""Pages that are programs."""

from pathlib import Path

import pytest

from support.pages import Command, commands, matches, run

PAGE = """
Text.

```console
$ echo one
one
$ cat <<'X'
> two
> X
two
```

```yaml
$ not a command
```
"""


def test_commands_are_those_of_console_blocks() -> None:
    assert commands(PAGE) == [Command("echo one", ("one",)), Command("cat <<'X'\ntwo\nX", ("two",))]


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (("a",), ["a"], True),
        (("a",), ["b"], False),
        ((), ["anything"], True),
        (("a   b",), ["a b"], True),
        (("took …",), ["took 3 s"], True),
        (("...", "b"), ["x", "y", "b"], True),
        (("...", "b"), ["b"], True),
        (("a", "..."), ["a"], True),
        (("a", "...", "c"), ["a", "b", "b", "c"], True),
        (("a", "...", "c"), ["a", "c"], True),
        (("a", "...", "c"), ["a", "b"], False),
        (("...", "b"), ["x", "c"], False),
    ],
)
def test_output_is_compared_with_what_the_page_shows(shown: tuple[str, ...], printed: list[str], same: bool) -> None:
    assert matches(shown, printed) is same


def test_commands_share_a_shell_and_stop_after_the_first_failure(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ X=5\n$ echo $X\n5\n$ false\n$ echo never\n```\n")
    done = run(page, folder=tmp_path, environment={"PATH": "/usr/bin:/bin"}, timeout=10)
    assert [each.code for each in done] == [0, 0, 1]
    assert [each.as_shown for each in done] == [True, True, False]
