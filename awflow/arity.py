"""How many arguments a callable demands, without importing inspect for plain functions."""

from __future__ import annotations

from types import FunctionType


def arity(function: object) -> tuple[int, int]:
    """How many positional arguments a call must give at least and may give at most (1,000,000 for `*args`)."""
    if isinstance(function, FunctionType):
        code = function.__code__
        least = code.co_argcount - len(function.__defaults__ or ())
        required_keywords = code.co_kwonlyargcount - len(function.__kwdefaults__ or ())
        return least + 1_000_000 * (required_keywords > 0), 1_000_000 if code.co_flags & 0x04 else code.co_argcount
    import inspect

    try:
        parameters = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 0, 1_000_000  # a builtin that does not say
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    least = sum(p.default is p.empty for p in positional)
    if any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters):
        least += 1_000_000
    return least, 1_000_000 if any(p.kind is p.VAR_POSITIONAL for p in parameters) else len(positional)


def demands_value(function: object) -> bool:
    """Whether a condition or a path callable wants the task's value: one required parameter, or `*args`.

    Parameters with defaults are never filled: `lambda p=path: ...` is the idiom of loops.
    """
    least, most = arity(function)
    return least == 1 or (least == 0 and most >= 1_000_000)
