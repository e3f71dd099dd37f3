"""Files of the state that no record names any more: payloads and stored results of attempts that newer ones replaced."""

from __future__ import annotations

import os
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterator

    from awflow.state.layout import Layout
    from awflow.state.rows import Rows
    from awflow.state.store import Store
    from awflow.state.view import State


def sweep(store: Store) -> None:
    """Remove them. Losing the race for one is as good as winning it."""
    state = store.read()
    for path in superseded(state, store.layout, set(state.claims)):
        with suppress(FileNotFoundError):
            os.unlink(path)


def superseded(state: State, layout: Layout, live: Collection[int]) -> Iterator[str]:
    """Their paths. What a live claim may need is none of them, and neither is what came after the state was read.

    A result lies in the file of the claim under which it was made, whatever entry has accepted or re-checked it since.
    """
    everywhere = set(live)
    for job in state.jobs():
        rows = state.rows(job)
        assert rows is not None, 'a job of the state has rows'
        named = rows.generations()
        everywhere |= named
        if _unnamed(layout.results_dir(job), '.pickles', named | set(live), state.last):
            yield from _unnamed(layout.results_dir(job), '.pickles', {*live, *_stored(rows)}, state.last)
    yield from _unnamed(payloads(layout), '', everywhere, state.last)


def payloads(layout: Layout) -> str:
    """The directory of the payloads of all claims."""
    return os.path.dirname(layout.payload(0))


def generation_of(file: str, ending: str = '') -> int | None:
    """The number that the name of a payload or of a file of results begins with; behind it stands who wrote, where there
    are several.
    """
    stem = file.removesuffix(ending).partition('-')[0]
    return int(stem) if file.endswith(ending) and stem.isdecimal() else None


def _stored(rows: Rows) -> set[int]:
    """The generations in whose files the results lie that records name."""
    files = {file for _, file in rows.results()}
    return {found for file in files if (found := generation_of(os.path.basename(file), '.pickles')) is not None}


def _unnamed(directory: str, ending: str, named: Container[int], last: int) -> list[str]:
    """The files of a directory whose generation is not `named`."""
    try:
        files = os.listdir(directory)
    except FileNotFoundError:
        return []
    numbers = {file: number for file in files if (number := generation_of(file, ending)) is not None}
    return [os.path.join(directory, file) for file, number in numbers.items() if number <= last and number not in named]
