"""What `make tools` reads from the files that pin the tools."""

from __future__ import annotations

import pytest

from support.tools import KUBERNETES, PINS, SEPARATE, TOOLSETS
from tools import build


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go version go1.27rc1 linux/arm64", (1, 27, 0)),
        ("go 1.26.7\n", (1, 26, 7)),
        ("not found", (0, 0, 0)),
    ],
)
def test_a_go_release_is_read_from_the_version_command_and_from_a_go_mod(text: str, release: build.Release) -> None:
    assert build.go_release(text) == release


def test_the_version_of_the_programs_is_the_pinned_one() -> None:
    go_mod = (PINS / KUBERNETES.name / "go.mod").read_text()
    assert build.pinned_version(go_mod, "k8s.io/kubernetes") == "v1.36.3"


def test_a_module_that_is_not_pinned_is_an_error() -> None:
    with pytest.raises(build.ToolsError, match=r"does not require example\.org/absent"):
        build.pinned_version("require example.org/present v1.0.0", "example.org/absent")


def test_every_program_of_a_toolset_has_a_package_to_build() -> None:
    for what in build.BUILDS:
        assert len(what.toolset.programs) == len(what.packages), what.toolset.name


def test_a_line_of_the_crd_table_names_module_checksum_and_copies() -> None:
    module = build.crd_modules("# comment\nexample.org/crds v1.0.0 h1:sum= a/b->c d.yaml->e/d.yaml\n")
    assert module == (build.CrdModule("example.org/crds", "v1.0.0", "h1:sum=", (("a/b", "c"), ("d.yaml", "e/d.yaml"))),)


def test_each_toolset_has_a_folder_of_its_own() -> None:
    toolsets = (*TOOLSETS, *SEPARATE)
    assert len({toolset.folder for toolset in toolsets}) == len(toolsets)


def test_toolsets_of_other_targets_are_not_built_for_the_tests() -> None:
    assert not set(SEPARATE) & set(TOOLSETS)
