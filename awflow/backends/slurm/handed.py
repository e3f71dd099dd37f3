"""What is noted of every `sbatch`, and by which id each task of a claim is found in the queue again.

The claim says what is to be handed in: `queue.pieces` of its owner has for every job a list of {keys, at, batch}. `keys` and
`at` run side by side: keys of tasks and numbers of array elements ('0-9,15'; left out where they are the keys, '-' without
array). Once a piece is in the queue, a fact in the claim's journal says so: {submitted: id, job, piece}.
"""

from __future__ import annotations

from awflow.backends.slurm.manifest import spans
from awflow.state.ledger import decode_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Final

    from awflow.backends.slurm.shape import Piece
    from awflow.state.ledger import Entry
    from awflow.subject import Subject

MARK: Final = 'awflow'  # how the comments of our jobs begin
COMPLETE: Final = 'complete'  # the fact that nothing more of a claim will be handed in


def comment(nonce: str, piece: Piece, job: str) -> str:
    """What stands in the queue beside a piece, and beside nothing else."""
    return f'{MARK}:{nonce}:{job if piece.job >= 0 else ""}:{piece.number}'


def submitted(piece: Piece, job: str) -> dict[str, Any]:
    """The fact that a piece is in the queue."""
    return {'submitted': piece.id, 'job': job, 'piece': piece.number}


def layout(piece: Piece, subject: Subject) -> dict[str, Any]:
    """Which tasks are which elements."""
    keys = [subject.keys[row] for row in piece.rows]
    plain = all(key.isdecimal() for key in keys)
    shown: dict[str, Any] = {'keys': spans(map(int, keys)) if plain else keys}
    at = '-' if piece.indexes is None else spans(piece.indexes)
    if at != shown['keys']:
        shown['at'] = at
    if piece.batch > 1:
        shown['batch'] = piece.batch
    return shown


class Handed:
    """The tasks of a claim as they were handed in."""

    __slots__ = ('claim', 'complete', 'ids', 'known', 'places')

    def __init__(self, claim: Entry, facts: list[dict[str, Any]]) -> None:
        self.claim = claim
        self.complete = any(COMPLETE in fact for fact in facts)
        self.places: dict[tuple[str, str], tuple[str, int | None]] = {}  # task -> id, number of its element
        self.ids: dict[str, None] = {}
        self.known: set[tuple[str, int]] = set()  # job and number of the pieces that were handed in
        for fact in facts:
            if 'submitted' in fact:
                self.add(fact)

    def add(self, fact: Mapping[str, Any]) -> None:
        """Another piece."""
        job, number = fact['job'], fact['piece']
        self.ids[fact['submitted']] = None
        self.known.add((job, number))
        pieces = (self.claim.owner or {}).get('queue', {}).get('pieces', {}).get(job, [])
        if number < len(pieces):
            self.places.update(((job, key), (fact['submitted'], at)) for key, at in elements(pieces[number]))

    @staticmethod
    def ids_of(facts: list[dict[str, Any]]) -> dict[tuple[str, int], str]:
        """The id of every piece that was handed in, by job and number."""
        return {(fact['job'], fact['piece']): fact['submitted'] for fact in facts if 'submitted' in fact}

    def spelled(self, job: str, key: str) -> str:
        """The id of one task, as sbatch and scancel take it; '' if it was not handed in."""
        place = self.places.get((job, key))
        if place is None:
            return ''
        return place[0] if place[1] is None else f'{place[0]}_{place[1]}'


def elements(piece: Mapping[str, Any]) -> Iterator[tuple[str, int | None]]:
    """The key of every task of a piece, and the number of its element."""
    keys = decode_keys(piece['keys'])
    at = piece.get('at', piece['keys'])
    if at == '-':
        yield from ((key, None) for key in keys)
        return
    numbers = [int(number) for number in decode_keys(at)]
    batch = piece.get('batch', 1)
    yield from ((key, numbers[place // batch]) for place, key in enumerate(keys))
