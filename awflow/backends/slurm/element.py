"""One array element (or job without array) on its node: the tasks in it, and all that is known of them beforehand."""

from __future__ import annotations

import os

from awflow.backends.payload import Payload
from awflow.backends.slurm import manifest
from awflow.backends.slurm.manifest import Manifest
from awflow.backends.visibility import awaited, visible
from awflow.state import jsontext
from awflow.state.layout import Layout, safe
from awflow.state.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from awflow.backends.context import Tools
    from awflow.backends.payload import Definition


class Row:
    """One task of the element, with what its start finds out."""

    __slots__ = ('fragment', 'id', 'key', 'own', 'produced', 'retry', 'row', 'started', 'succeeded', 'upstream', 'why')

    def __init__(self, row: int, key: str, fragment: dict[str, Any]) -> None:
        self.row = row
        self.key = key
        self.fragment = fragment
        self.own: dict[str, str] = {}
        self.upstream: dict[str, str] = {}
        self.produced: dict[str, str] = {}  # inputs that upstreams made -> digest
        self.retry = 0
        self.id = os.urandom(16).hex()  # of the attempt
        self.started = 0.0
        self.succeeded = False
        self.why: list[dict[str, str]] = []  # what it runs for, where the plan did not know

    @property
    def planned_own(self) -> dict[str, str]:
        """The components of its own that the planner knew: value and output paths."""
        own: dict[str, str] = self.fragment.get('own', {})
        return own


class Element:
    """What Slurm started this process for."""

    def __init__(
        self, root: str, workflow: str, number: int, nonce: str, job: str, piece: int, near: Callable[[], bool]
    ) -> None:  # fmt: skip
        self.layout = Layout(root, workflow)
        self.number = number  # of the claim
        self.nonce = nonce
        self.job = job
        self.piece = piece
        self.near = near  # whether its end is near
        awaited(lambda: visible(self.layout.payload(number)))  # where it does not come, opening it says so
        self.payload = Payload(self.layout.payload(number))
        self.restart = int(os.environ.get('SLURM_RESTART_COUNT', 0))
        self._manifests: dict[str, Manifest] = {}
        self._definition: Definition | None = None
        self._tools: Tools | None = None
        self.manifest = self.manifest_of(job)
        self.head = self.manifest.head
        self.rows = [Row(row, self.manifest.key(row), self.manifest.fragment(row)) for row in self._rows(piece)]

    def manifest_of(self, job: str) -> Manifest:
        """The part of the payload that is about a job."""
        if job not in self._manifests:
            self._manifests[job] = Manifest(self.payload.plan(job))
        return self._manifests[job]

    def _rows(self, piece: int) -> list[int]:
        rows, indexes, batch = self.head['pieces'][piece]
        if indexes is None:
            return list(manifest.rows_of(rows))
        mine = int(os.environ['SLURM_ARRAY_TASK_ID'])
        place = next(place for place, index in enumerate(manifest.rows_of(indexes)) if index == mine)
        return list(manifest.rows_of(rows))[place * batch : (place + 1) * batch]

    def store(self, everything: bool = False) -> Store:
        """The state, of which a task among 10,000 reads only the lines about itself and what it waits for."""
        if everything:
            return Store(self.layout.root, self.layout.workflow)
        prefixes = self._prefixes()
        return Store(
            self.layout.root, self.layout.workflow,
            wanted=lambda line: line.startswith(prefixes) or not line.startswith((b'{"job":', b'{"alive":')),
        )  # fmt: skip

    def _prefixes(self) -> tuple[bytes, ...]:
        """How the lines begin that matter here."""
        wanted = [{'job': self.job, 'task': row.key} for row in self.rows]
        for upstream, _, _, partners in self.head['links']:
            if partners is None:
                wanted.append({'job': upstream})
            else:
                of = self.manifest_of(upstream)
                wanted += [{'job': upstream, 'task': of.key(partners[row.row])} for row in self.rows]
        return tuple(jsontext.dumps(fields)[:-1] + b',' for fields in wanted)

    def definition(self) -> Definition:
        """The job, rebuilt in this process: only where that cannot be left to the child."""
        if self._definition is None:
            self._definition = self.payload.definition(self.job)
        return self._definition

    def tools(self) -> Tools:
        """What performing a task needs."""
        if self._tools is None:
            from awflow.backends.context import Tools

            self._tools = Tools(self.payload, near=self.near)
        return self._tools

    def name(self, row: Row) -> str:
        """What a task is called."""
        return self.job if row.key == '-' else f'{self.job}[{row.key}]'

    def log_path(self, row: Row) -> str:
        """Where an attempt's output goes."""
        stem = safe(row.key) if self.head['array'] else 'log'
        attempt = f'{self.restart}.{row.retry}' if self.restart else str(row.retry)
        return f'{self.layout.log_dir(self.job)}/{stem}-{self.number}-{attempt}.log'

    def order(self, row: Row, writer: str) -> dict[str, Any]:
        """What a worker is told. Results go to a file of this host: two hosts' appends to one file would collide."""
        head = self.head
        parent = {
            **head['parent'], 'run': head['run'], 'task': self.name(row), 'attempt': row.id, 'workflow': self.layout.workflow,
            'state': self.layout.root,
        }  # fmt: skip
        return {
            'job': self.job, 'task': row.key, 'position': row.row if head['array'] else -1, 'generation': self.number,
            'attempt': [self.restart, row.retry], 'id': row.id, 'outputs': None, 'inputs': [], 'stat': [],
            'produced': row.produced, 'env': {'AWFLOW_PARENT': jsontext.dumps(parent).decode()}, 'cuda': None,
            'cwd': self.payload.cwd, 'results_file': f'{self.layout.results_dir(self.job)}/{self.number}-{writer}.pickles',
            'parent': parent, 'state': self.layout.root, 'workflow': self.layout.workflow, 'limit': head['limit'],
            'history': row.fragment.get('history'),
            'lint': head.get('lint') and {**head['lint'], 'upstream': row.fragment.get('upstream', [])},
        }  # fmt: skip
