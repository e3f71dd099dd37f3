"""Commands timed side by side: each in turn, several rounds, medians; so that whatever else the machine does falls on all."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != 'PYTHONDONTWRITEBYTECODE'}


@dataclass
class Candidate:
    """A command, where it runs, and what it must have left behind each time."""

    name: str
    command: Sequence[str]
    directory: Path
    check: Callable[[], None] = lambda: None
    before: Callable[[], None] = lambda: None  # not timed, in every round
    wall: list[float] = field(default_factory=list)  # seconds
    cpu: list[float] = field(default_factory=list)  # seconds, of all processes
    peak: int = 0  # bytes, of its biggest process

    def run(self) -> None:
        """Once; SystemExit with what it said if it failed."""
        self.before()
        with open(self.directory / 'said', 'w+b') as said:
            begun = time.perf_counter()
            process = subprocess.Popen(self.command, cwd=self.directory, env=ENVIRONMENT, stdout=said, stderr=said)
            _, status, usage = os.wait4(process.pid, 0)
            self.wall.append(time.perf_counter() - begun)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                said.seek(0)
                raise SystemExit(f'{self.name} ended with {process.returncode}: {said.read().decode(errors="replace")[-2000:]}')
        self.cpu.append(usage.ru_utime + usage.ru_stime)
        self.check()

    @property
    def seconds(self) -> float:
        return statistics.median(self.wall)

    @property
    def cpu_seconds(self) -> float:
        return statistics.median(self.cpu)

    def weigh(self) -> None:
        """Its peak memory, of one more run, by GNU time, which is small: a child counts what its parent held at the fork."""
        if shutil.which('time'):
            self.before()
            command = ['time', '-q', '-f', '%M', '-o', 'peak', *self.command]
            subprocess.run(command, cwd=self.directory, env=ENVIRONMENT, check=True, capture_output=True)
            self.check()
            self.peak = int((self.directory / 'peak').read_text(encoding='ascii')) * 1024

    def metadata_calls(self) -> int | None:
        """System calls that name a file, of one more run under strace; None where there is no strace."""
        if not shutil.which('strace'):
            return None
        self.before()
        command = ['strace', '-f', '-qq', '-c', '-e', 'trace=%file,getdents64', '-o', 'calls', *self.command]
        subprocess.run(command, cwd=self.directory, env=ENVIRONMENT, check=True, capture_output=True)
        self.check()
        rows = (self.directory / 'calls').read_text(encoding='utf-8').splitlines()
        return next(int(row.split()[3]) for row in rows if row.endswith('total'))


def in_turn(candidates: Sequence[Candidate], rounds: int) -> None:
    """One round after the other, each candidate once a round, after one that does not count."""
    for count in range(rounds + 1):
        for candidate in candidates:
            candidate.run()
            if not count:
                candidate.wall.clear()
                candidate.cpu.clear()
    for candidate in candidates:
        candidate.weigh()


def table(candidates: Iterable[Candidate], against: Sequence[str], tasks: int = 0) -> None:
    """Prints a row for each: medians, peak memory, and its ratio to each of those named."""
    rows = list(candidates)
    beside = [row for name in against for row in rows if row.name == name]
    heads = ['', 'wall s', 'CPU s', *(['CPU us/task'] if tasks else []), 'peak MB', *(f'x {row.name}' for row in beside)]
    print(f'| {" | ".join(heads)} |')
    print(f'| --- |{" ---: |" * (len(heads) - 1)}')
    for row in rows:
        each = [f'{row.cpu_seconds / tasks * 1e6:.1f}'] if tasks else []
        ratios = [f'{row.seconds / other.seconds:.2f}' for other in beside]
        cells = [
            row.name,
            f'{row.seconds:.3f}',
            f'{row.cpu_seconds:.3f}',
            *each,
            f'{row.peak / 1e6:.1f}' if row.peak else '',
            *ratios,
        ]
        print(f'| {" | ".join(cells)} |')
    print(flush=True)


def tool(name: str) -> str | None:
    """Where a peer is: beside this Python, or on the path."""
    import sys

    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name)


def kept(state: Path) -> str:
    """How many files a state has, and how many bytes they hold."""
    files = [path for path in state.rglob('*') if path.is_file()]
    return f'{len(files)} files, {sum(path.stat().st_size for path in files):,} bytes'
