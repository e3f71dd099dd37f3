"""The top-level statement that a function stands in, cut out of its file without parsing the rest.

The problem. A script of a thousand lines is parsed in 5 ms, and what a job reaches in it is often three functions of ten lines.

What this does. The statement is cut out by its looks: from the last line at the left margin that can begin one, down to the
line before the next. That is a guess. It may be cut inside a string or before an `else:`, the file may have been edited since
it was imported, a line may only look like an import (which matter: for `np.sum()` the compiler emits another instruction where
it knows that `np` was imported). But a guess that is wrong costs time and nothing else: what was cut out is compiled, and
counts only if it compiles to the very code that is in memory. Otherwise the whole file is parsed.
"""

from __future__ import annotations

from types import CodeType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

CONTINUES: Final = frozenset(b' \t\f#)]}')  # first bytes of lines that begin no statement
SPACED: Final = bytes.maketrans(b'(),.;\\', b'      ')


class Block:
    """Lines of a file that look like one statement."""

    __slots__ = ('before', 'start', 'text')

    def __init__(self, start: int, text: str, before: int) -> None:
        self.start = start  # number of its first line, from 1
        self.text = text
        self.before = before  # lines of the text that stand before it, for what it takes to be imported


class Lines:
    """The lines of one file."""

    __slots__ = ('_imported', '_lines')

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines
        self._imported: set[str] | None = None

    def around(self, code: CodeType) -> Block | None:
        """The statement in which a function of this code seems to stand; None if none can be made out."""
        lines, first = self._lines, code.co_firstlineno
        last = max([line for _, _, line in code.co_lines() if line is not None], default=first)
        if not 0 < first <= last <= len(lines):
            return None
        start = first
        while start > 1 and _continues(lines[start - 1]):
            start -= 1
        while start > 1 and lines[start - 2][:1] == b'@':
            start -= 1
        end = last
        while end < len(lines) and _continues(lines[end]):
            end += 1
        try:
            text = b'\n'.join(lines[start - 1 : end]).decode()
        except UnicodeDecodeError:
            return None
        imported = self._names_imported()
        names = sorted(imported & _names(code)) if imported else ()
        head = f'import {", ".join(names)}\n' if names else ''
        return Block(start, f'{head}{text}\n', len(names) and 1)

    def _names_imported(self) -> set[str]:
        """Words of import statements that may run with the module, and a few more."""
        if self._imported is None:
            self._imported, inside = set(), False
            for line in self._lines:
                statement = line.split(b'#')[0].strip()
                if inside or statement.startswith((b'import ', b'from ')):
                    inside = b')' not in statement and (inside or b'(' in statement)
                    words = statement.translate(SPACED).decode('utf-8', 'replace')
                    self._imported.update(words.split())
        return self._imported


def lines_of(text: str | bytes) -> Lines | None:
    """The lines of a file as Python counts them; None if it is not in UTF-8."""
    data = text.encode('utf-8', 'surrogatepass') if isinstance(text, str) else text
    if b'\r' in data:
        data = data.replace(b'\r\n', b'\n').replace(b'\r', b'\n')
    lines = data.split(b'\n')
    declared = isinstance(text, bytes) and (data.startswith(b'\xef\xbb\xbf') or any(b'coding' in line for line in lines[:2]))
    return None if declared else Lines(lines)


def _continues(line: bytes) -> bool:
    return not line or line[0] in CONTINUES


def _names(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for const in code.co_consts:
        if type(const) is CodeType:
            names |= _names(const)
    return names
