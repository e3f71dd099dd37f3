"""Files of the state that no record names any more: payloads and stored results of attempts that newer ones replaced."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from awflow.state.store import Store


def sweep(store: Store) -> None:
    """Remove them. What a live claim may need stays, and so does whatever came after the state was read."""
    state = store.read()
    layout = store.layout
    live = set(state.claims)
    everywhere = set(live)
    for job in state.jobs():
        rows = state.rows(job)
        assert rows is not None, 'a job of the state has rows'
        named = {rows.generation(row) for row in range(len(rows))}
        everywhere |= named
        _remove(layout.results_dir(job), '.pickles', named | live, state.last)
    _remove(os.path.dirname(layout.payload(0)), '', everywhere, state.last)


def _remove(directory: str, ending: str, named: Container[int], last: int) -> None:
    """Remove the files of a directory whose generation is not `named`; losing the race for one is as good as winning it."""
    try:
        files = os.listdir(directory)
    except FileNotFoundError:
        return
    for file in files:
        stem = file.removesuffix(ending).partition('-')[0]  # behind it stands who wrote, where there are several
        if file.endswith(ending) and stem.isdecimal() and int(stem) <= last and int(stem) not in named:
            try:
                os.unlink(os.path.join(directory, file))
            except FileNotFoundError:
                pass
