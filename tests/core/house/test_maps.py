"""The maps in docstrings are true: every module that one names exists."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3] / "src"
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in SOURCE.rglob("*.py")
}
PACKAGES = sorted(name for name, path in MODULES.items() if path.name == "__init__.py")


def docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def attributes(path: Path) -> set[str]:
    """The names that a module binds at its top level."""
    bound: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                bound.add(node.name)
            case ast.Assign():
                bound.update(target.id for target in node.targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                bound.add(name)
            case ast.ImportFrom() | ast.Import():
                bound.update(alias.asname or alias.name for alias in node.names)
    return bound


def exists(dotted: str) -> bool:
    """Whether `headgate.a.b`, `headgate.a.b.Name` or `headgate.a.b.Name.attribute` is there."""
    if dotted in MODULES:
        return True
    module, _, name = dotted.rpartition(".")
    if module in MODULES:
        return name in attributes(MODULES[module])
    return "." in module and exists(module)


@pytest.mark.parametrize("package", PACKAGES)
def test_each_module_in_the_list_of_a_package_exists(package: str) -> None:
    docstring = ast.get_docstring(ast.parse(MODULES[package].read_text())) or ""
    listed = [
        name
        for line in docstring.splitlines()
        if line.startswith("* `")
        for line in re.findall(r"(`[a-z_0-9./]+`(?:, `[a-z_0-9./]+`)*) –", line)
        for name in re.findall(r"`([^`]+)`", line)
    ]
    assert [name for name in listed if not exists(f"{package}.{name.strip('/')}")] == []


def test_each_dotted_name_in_a_docstring_exists() -> None:
    wrong = {
        f"{module}: {name}"
        for module, path in MODULES.items()
        for docstring in docstrings(path)
        for name in re.findall(r"`(headgate\.[\w.]+\w)`", docstring)
        if not exists(name) and not name.startswith("headgate.dev")
    }
    assert wrong == set()
