"""Files of the state that no record names any more: payloads and stored results of attempts that newer ones replaced."""

from __future__ import annotations

import os
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from awflow.state.rows import Rows
    from awflow.state.store import Store


def sweep(store: Store) -> None:
    """Remove them. What a live claim may need stays, and so does whatever came after the state was read.

    A result lies in the file of the claim under which it was made, whatever entry has accepted or re-checked it since.
    """
    state = store.read()
    layout = store.layout
    live = set(state.claims)
    everywhere = set(live)
    for job in state.jobs():
        rows = state.rows(job)
        assert rows is not None, 'a job of the state has rows'
        named = {rows.generation(row) for row in range(len(rows))}
        everywhere |= named
        if _superseded(layout.results_dir(job), '.pickles', named | live, state.last):
            _remove(layout.results_dir(job), '.pickles', live | _stored(rows), state.last)
    _remove(os.path.dirname(layout.payload(0)), '', everywhere, state.last)


def _stored(rows: Rows) -> set[int]:
    """The generations in whose files the results lie that records name."""
    files = {str((rows.record(row).result or {}).get('file', '')) for row in range(len(rows)) if rows.has_result(row)}
    return {found for file in files if (found := _generation(os.path.basename(file), '.pickles')) is not None}


def _generation(file: str, ending: str) -> int | None:
    """The number that a file's name begins with; behind it stands who wrote, where there are several."""
    stem = file.removesuffix(ending).partition('-')[0]
    return int(stem) if file.endswith(ending) and stem.isdecimal() else None


def _superseded(directory: str, ending: str, named: Container[int], last: int) -> list[str]:
    """The files of a directory whose generation is not `named`."""
    try:
        files = os.listdir(directory)
    except FileNotFoundError:
        return []
    numbers = {file: number for file in files if (number := _generation(file, ending)) is not None}
    return [file for file, number in numbers.items() if number <= last and number not in named]


def _remove(directory: str, ending: str, named: Container[int], last: int) -> None:
    """Remove such files; losing the race for one is as good as winning it."""
    for file in _superseded(directory, ending, named, last):
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(directory, file))
