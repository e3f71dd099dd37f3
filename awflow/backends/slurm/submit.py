"""Handing in: everything that a plan runs, upstream first, side by side, and all of it or nothing.

The claim is published before the first `sbatch`, with the pieces that are going to be handed in; each carries the claim's
nonce in its comment. So whoever finds this submitter dead can tell from the queue which pieces are there (reconcile.py).
Refused half-way, what was handed in is cancelled. Interrupted half-way, it stays: the next run goes on from there.
"""

from __future__ import annotations

import os
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from time import monotonic

from awflow.backends.slurm.handed import COMPLETE, comment, submitted
from awflow.backends.slurm.request import arguments, batch_script, output_pattern
from awflow.backends.slurm.said import OUTPUT
from awflow.errors import SlurmError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Final

    from awflow.backends.slurm.client import Slurm
    from awflow.backends.slurm.request import Site
    from awflow.backends.slurm.shape import Piece, Shape
    from awflow.state.grant import Grant
    from awflow.state.layout import Layout
    from awflow.subject import Subject

SYNCED: Final = 1.0  # seconds for which facts may be lost in a power cut: the queue knows them too, by the claim's nonce
AT_ONCE: Final = 8  # commands under way; more do not make slurmctld faster


def try_out(slurm: Slurm, subjects: Sequence[Subject], shape: Shape, site: Site) -> None:
    """Let Slurm judge every distinct request before anything is submitted; raises SlurmError with its words."""
    requests: dict[tuple[str, ...], Subject] = {}
    for piece in shape.pieces:
        if piece.job >= 0:
            requests.setdefault(tuple(arguments(subjects[piece.job].job, site)), subjects[piece.job])
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda request: _try_one(slurm, *request), requests.items()))


def _try_one(slurm: Slurm, request: tuple[str, ...], subject: Subject) -> None:
    try:
        slurm.run('sbatch', '--test-only', *request, '--output=/dev/null', text='#!/bin/sh\n')
    except SlurmError as error:
        raise _unfit(subject, request, error) from None


def _unfit(subject: Subject, request: Sequence[str], error: SlurmError) -> SlurmError:
    return SlurmError(
        'Slurm does not take job {job!r}: {_said}', 'Nothing was submitted.', job=subject.name, options=' '.join(request),
        site=subject.job.site, _said=error.facts.get('_said', error),
    )  # fmt: skip


class Submission:
    """The pieces of one claim on their way into the queue."""

    def __init__(
        self, slurm: Slurm, grant: Grant, layout: Layout, subjects: Sequence[Subject], shape: Shape, site: Site
    ) -> None:
        self.slurm = slurm
        self.grant = grant
        self.layout = layout
        self.subjects = subjects
        self.pieces = shape.pieces
        self.site = site
        self.ids: list[str] = []
        self.began = False  # whether something may be in the queue
        self._under_way: dict[Future[str], Piece] = {}
        self._synced = monotonic()

    def hand_in(self, meanwhile: Callable[[], None]) -> None:
        """All pieces; `meanwhile` is done while Slurm works on the first.

        Raises SlurmError after cancelling what was handed in, if one is refused.
        """
        os.makedirs(os.path.join(self.layout.directory, OUTPUT), exist_ok=True)
        self.began = True
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                self._drive(pool, meanwhile)
            except SlurmError:
                pool.shutdown(cancel_futures=True)
                raise
            except KeyboardInterrupt:  # what is under way comes to its end
                pool.shutdown(cancel_futures=True)
                taken = [future for future in self._under_way if not future.cancelled() and future.exception() is None]
                for future in taken:
                    self._under_way[future].id = future.result()
                self._note([self._under_way[future] for future in taken], last=True)
                raise KeyboardInterrupt(
                    f'stopped after {len(self.ids)} of {len(self.pieces)} jobs were submitted, which go on: '
                    'run again to submit the rest, or `awflow cancel`'
                ) from None
        self._note([], last=True)

    def _drive(self, pool: ThreadPoolExecutor, meanwhile: Callable[[], None]) -> None:
        missing = {piece: len(set(piece.upstream)) for piece in self.pieces}
        below: dict[Piece, list[Piece]] = {}
        for piece in self.pieces:
            for upstream in set(piece.upstream):
                below.setdefault(upstream, []).append(piece)
        under_way = self._under_way
        ready = [piece for piece in self.pieces if not missing[piece]]
        under_way.update((pool.submit(self._submit, piece), piece) for piece in ready)
        meanwhile()
        while under_way:
            done, _ = wait(under_way, return_when=FIRST_COMPLETED)
            arrived = self._arrived({future: under_way[future] for future in done})
            ready = []
            for piece in arrived:
                for dependent in below.get(piece, ()):
                    missing[dependent] -= 1
                    if not missing[dependent]:
                        ready.append(dependent)
            under_way.update((pool.submit(self._submit, piece), piece) for piece in ready)

    def _arrived(self, done: dict[Future[str], Piece]) -> list[Piece]:
        """Note what was taken. Is one refused, none may stay."""
        refused: tuple[Piece, SlurmError] | None = None
        taken = []
        for future, piece in done.items():
            error = future.exception()
            if isinstance(error, SlurmError):
                refused = piece, error
            elif error is not None:
                raise error
            else:
                piece.id = future.result()
                taken.append(piece)
        self._note(taken)
        for future in done:
            del self._under_way[future]
        if refused is not None:
            self._take_back()
            raise _half_way(self._name(refused[0]), refused[1], len(self.ids))
        return taken

    def _take_back(self) -> None:
        for future in self._under_way:
            if not future.cancel() and future.exception() is None:
                self.ids.append(future.result())
        self.slurm.cancel(self.ids)

    def _note(self, pieces: Sequence[Piece], last: bool = False) -> None:
        facts = [submitted(piece, self._name(piece)) for piece in pieces]
        if last:
            facts.append({COMPLETE: True, 'commands': dict(self.slurm.counts)})
        self.ids += [piece.id for piece in pieces]
        self.grant.journal.append(facts)
        if last or monotonic() - self._synced > SYNCED:
            self.grant.sync()
            self._synced = monotonic()

    def _name(self, piece: Piece) -> str:
        return self.subjects[piece.job].name if piece.job >= 0 else ''

    def _submit(self, piece: Piece) -> str:
        job = self._name(piece)
        dependency, array = piece.dependency(), piece.array()
        asked = [
            f'--job-name={job or "join"}', '--open-mode=append', '--kill-on-invalid-dep=yes',
            f'--output={output_pattern(os.path.join(self.layout.directory, OUTPUT), piece.indexes is not None)}',
            *([f'--dependency={dependency}'] if dependency else []), *([f'--array={array}'] if array else []),
        ]  # fmt: skip
        mark = comment(self.grant.nonce, piece, job)
        if piece.job < 0:
            options = [
                f'--{n.replace("_", "-")}={v}' for n, v in self.site.options.items() if n in ('partition', 'account', 'qos')
            ]
            return self.slurm.submit([*options, '--time=1', *asked], '#!/bin/sh\ntrue\n', mark)
        subject = self.subjects[piece.job]
        words = [self.layout.root, self.layout.workflow, str(self.grant.number), self.grant.nonce, job, str(piece.number)]
        return self.slurm.submit(
            [*arguments(subject.job, self.site), *asked], batch_script(subject.job, self.site, words), mark
        )


def _half_way(job: str, error: SlurmError, cancelled: int) -> SlurmError:
    return SlurmError(
        'Slurm does not take job {job!r}: {_said}', 'What this run had submitted was cancelled; nothing is left queued.',
        job=job, cancelled=cancelled, _said=error.facts.get('_said', error),
    )  # fmt: skip
