"""What can be said of a task's next run without its script: how the last attempt ended, and what the disk and the state say.

Code and values are not compared, since only the script knows what they are now: `awflow why --now` asks it.
"""

from __future__ import annotations

import os

from awflow.reasons import Reason
from awflow.state import blocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from awflow.cli.attempts import LastAttempt
    from awflow.cli.observed import Workflow
    from awflow.state.digests import Digests
    from awflow.state.record import Record

RERUN = ('changed', 'output changed', 'upstream changed')  # the others count if the task is needed, or may be undone


def expected(attempt: LastAttempt) -> list[Reason]:
    """Reasons for which a task that succeeded would run again, as far as they can be seen from here."""
    from awflow.cli.runs import directory_of, facts_of

    record, workflow = attempt.record, attempt.workflow
    assert record is not None, 'a success is on record'
    directory, here = directory_of(workflow.store, facts_of(workflow.store, record.run)), os.getcwd()
    found = list(_upstreams(workflow, record))
    try:
        os.chdir(directory)  # paths are relative to it, also in the cache of digests
    except OSError:
        return found
    try:
        digests = workflow.store.digests()
        return [*_inputs(workflow, record, digests), *_outputs(record, digests), *_result(workflow, record), *found]
    finally:
        os.chdir(here)


def _inputs(workflow: Workflow, record: Record, digests: Digests) -> Iterator[Reason]:
    for name, used in record.own.items():
        kind, _, path = name.partition(' ')
        if kind != 'input':
            continue
        content = digests.of(path)
        now = content.digest if content else 'absent'
        signature = digests.stat_only(path) if now != used and content else None  # of an input with hash='stat'
        if now == used or (signature is not None and signature.digest == used) or _made_so(workflow, path, used):
            continue
        yield Reason('changed', name, used[:8], now[:8])


def _made_so(workflow: Workflow, path: str, digest: str) -> bool:
    """Whether a task is on record as having made the file with these bytes: its record counts, not the disk."""
    for job in workflow.state.jobs():
        rows = workflow.state.rows(job)
        assert rows is not None, 'a job of the state has rows'
        since = rows.mentioning([path])
        before = [row for row, _ in blocks.named(rows.base, 'outputs', [path])] if rows.base is not None else []
        for row in [*since, *(row for row in before if row not in rows.over)]:
            if rows.record(row).outputs.get(path, [''])[0] == digest:
                return True
    return False


def _outputs(record: Record, digests: Digests) -> Iterator[Reason]:
    for path, (digest, _) in record.outputs.items():
        content = digests.of(path)
        if content is None:
            yield Reason('output absent', path)
        elif content.digest != digest:
            yield Reason('output changed', path)


def _result(workflow: Workflow, record: Record) -> Iterator[Reason]:
    if record.result and not os.path.exists(os.path.join(workflow.store.layout.directory, record.result['file'])):
        yield Reason('result absent')


def _upstreams(workflow: Workflow, record: Record) -> Iterator[Reason]:
    """Upstreams with another outcome than the one used; of arrays, whose order only the script knows, what ran since."""
    partners = {name.removeprefix('upstream '): end for name, end in record.own.items() if name.startswith('upstream ')}
    for component, used in {**record.upstream, **partners}.items():
        job = component if workflow.state.rows(component) is not None else component.rpartition('?')[0]
        rows = workflow.state.rows(job)
        if rows is None:
            continue
        key = record.task if component in partners else '-'
        row = rows.row(key)
        if row is not None:
            if rows.end(row).hex() != used and rows.final(row):
                yield Reason('upstream changed', job if key == '-' else f'{job}[{key}]')
            continue
        since = [row for row in range(len(rows)) if rows.generation(row) > record.generation and not rows.record(row).accepted]
        for row in since[:1]:
            more = f' and {len(since) - 1} more' if len(since) > 1 else ''
            yield Reason('upstream ran since', f'{job}[{rows.keys[row]}]{more}')
