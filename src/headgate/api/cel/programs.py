"""An expression in CEL: compiled once, evaluated often, and what Kubernetes says when it goes wrong."""

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from .language import cel
from .library import LIBRARY, SIZE

#: Words that CEL keeps for itself. Kubernetes writes a field of that name as `__name__`, the library takes it as it is.
_KEPT = "as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var|void|while"
_ESCAPED = re.compile(rf"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|\b__({_KEPT})__\b|\b(size)(?=\s*\()""")
_CALLED = re.compile(r"Python function call failed: \w+: (?P<message>.*)\. Check function arguments", re.DOTALL)


class ExpressionError(ValueError):
    """An expression that cannot be read. `ours`: Kubernetes reads it, the library does not."""

    def __init__(self, message: str, *, ours: bool) -> None:
        super().__init__(message)
        self.ours = ours


class EvaluationError(ValueError):
    """An expression that gave no value; the text is Kubernetes' (`no such key: x`)."""


class Program(msgspec.Struct, frozen=True):
    """A compiled expression and the functions of `library` that it calls."""

    source: str
    run: Callable[[Any], Any]
    functions: frozenset[str]

    def __call__(self, scope: Any) -> Any:
        """Its value in a scope of `scope`. Raises `EvaluationError`."""
        try:
            return self.run(scope)
        except Exception as error:
            raise EvaluationError(_sentence(error)) from None


@functools.lru_cache(maxsize=8192)
def compiled(source: str, *, wide: bool = False) -> Program:
    """The program of an expression. Raises `ExpressionError`.

    Args:
        wide: for texts beyond ASCII. The library counts bytes where CEL counts characters, so then we count; a list is
            counted more slowly so.
    """
    size = SIZE if wide else "size"
    try:
        program = cel.compile(_ESCAPED.sub(lambda match: match[1] or match[2] or size, source))
    except ValueError as error:
        text = str(error)
        ours = "unsupported syntax" in text or re.search(r"\.\?|\[\?|\{\?", source) is not None
        raise ExpressionError(text.partition(": ")[2] or text, ours=ours) from None
    return Program(source, program.execute, frozenset(program.functions()) & LIBRARY.keys())


def scope(variables: Mapping[str, Any], functions: frozenset[str]) -> Any:
    """What expressions can see; the conversion of large values is the dear part, so programs share a scope."""
    every = {"format": {}, **variables} if functions else dict(variables)
    return cel.Context(every, {name: LIBRARY[name] for name in functions})


def optional(value: Any) -> Any:
    """An optional value that is there, unless it is None."""
    return cel.OptionalValue.none() if value is None else cel.OptionalValue.of(value)


def _sentence(error: Exception) -> str:
    """What cel-go says of the same mistake."""
    if isinstance(error, KeyError):
        return f"no such key: {error.args[0]}"
    if isinstance(error, IndexError):
        return str(error)
    if isinstance(error, ZeroDivisionError):
        return "modulus by zero" if "modulo" in str(error) else "division by zero"
    if isinstance(error, OverflowError):
        return "integer overflow"
    if isinstance(error, TypeError):
        return "no such overload"
    called = _CALLED.search(str(error))
    return called["message"] if called else str(error)
