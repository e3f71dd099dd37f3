"""Which files of the project a task uses without saying so: seen from within, as advice.

The problem. What a task reads without declaring it makes no task run again when it changes, and what it writes without
anybody asking for it is not missed when it is gone. Both are forgotten easily, and nothing in a record shows it.

What does not work. Reading the code: paths are computed. strace or an LD_PRELOAD: not there on most clusters, and a
program in C for a matter of Python. Watching the directory: tasks run at the same time, and reading leaves no trace.

What this does. Python tells audit hooks of every file that it opens, renames or removes, and of every program that it
starts. A hook cannot be removed, so one is only ever put into the process of a task whose order asks for it, once; it
listens while the function runs, and again while the postconditions are asked. Asking whether a file exists raises no
event, so in that time `os.stat` and its like are wrapped: a postcondition *names* a file if it asks for it in any way,
opens it, lists its directory, or globs for it. What the hook sees it keeps; it is sorted out when the task has ended.

What cannot be seen is said in docs/lint.md.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from fnmatch import fnmatchcase
from stat import S_ISREG

from awflow.fingerprint.project import LOCAL, Project

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from typing import Any, Final

LISTED: Final = 50  # paths of a kind that a report names; the others are counted
PASSED_OVER: Final = frozenset(('.awflow', '.git', '__pycache__'))
ASKING: Final = ('stat', 'lstat', 'access')  # of os: what raises no event


class Watch:
    """Sees what the tasks of this process use, one task at a time."""

    def __init__(self) -> None:
        self._handlers: dict[str, Callable[..., None]] = {}  # of what is under way; none while nothing is
        self._busy = False
        self._upstream: list[str] = []
        self._script = ''
        self._scope = Scope('/', '/', '')
        self._files = Files(self._scope)
        self._asked = Asked(self._scope)

    def install(self) -> None:
        """For the rest of this process's life."""
        sys.addaudithook(self._hear)

    def begin(self, order: dict[str, Any]) -> None:
        """A new task. The order's `lint` says where the project lies and which outputs of direct upstreams it may read."""
        self._scope = Scope(order['lint']['project'], order.get('cwd') or '.', order.get('state') or '')
        self._upstream = order['lint'].get('upstream', [])
        self._script = order['lint'].get('script', '')
        self._files = Files(self._scope)
        self._asked = Asked(self._scope)

    @contextmanager
    def during(self, what: str) -> Iterator[None]:
        """While it lasts, notes what the 'function' does, or what 'conditions' ask for."""
        self._handlers = self._files.handlers() if what == 'function' else self._asked.handlers()
        try:
            if what == 'function':
                yield
            else:
                with _stat_is_heard(lambda path: self._hear('stat', (path,))):
                    yield
        finally:
            self._handlers = {}

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        handler = self._handlers.get(event)
        if handler is None or self._busy:  # a handler asks for files too
            return
        self._busy = True
        try:
            handler(*arguments)
        except Exception:  # noqa: BLE001  what a hook raises would be raised by the user's open()
            return
        finally:
            self._busy = False

    def findings(self, inputs: Collection[str], outputs: Collection[str]) -> dict[str, Any]:
        """What the task did not declare, at most LISTED paths of a kind, with the number of `more`; kinds without any are
        left out.
        """
        files, place = self._files, self._scope.declared
        made = place(outputs)
        known = made | place(inputs) | place(self._upstream)
        sources = _imported(self._script) if any(path.endswith('.py') for path in files.read) else frozenset()
        files.settle_databases()
        wrote = [path for path in files.wrote if os.path.lexists(path) and not os.path.isdir(path)]
        found = {
            'read': [path for path in files.read if not covered(path, known) and os.path.realpath(path) not in sources],
            'wrote': [path for path in wrote if not covered(path, made) and not self._asked.names(path)],
            'removed': [path for path in files.removed if not os.path.lexists(path)],
        }
        shown = {kind: [self._scope.shown(path) for path in paths] for kind, paths in found.items()}
        return _bounded({**shown, 'programs': list(files.programs), 'connected': list(files.connected)})


class Scope:
    """Which paths are files of the project: below its root or the directory where tasks run, and not somebody else's."""

    def __init__(self, project: str, directory: str, state: str) -> None:
        self.directory = os.path.abspath(directory)
        roots = {os.path.realpath(root) for root in (project, self.directory)} - {'/'}
        self._projects = [Project(root) for root in sorted(roots)]
        prefix = os.path.join(os.path.realpath(sys.prefix), '')
        inside = any(prefix.startswith(root + os.sep) for root in roots)
        self._foreign = tuple(os.path.join(os.path.realpath(path), '') for path in (state,) if path)
        self._foreign += (prefix,) if inside else ()  # a virtual environment in the project
        self._known: dict[str, bool] = {}

    def path(self, name: object, fd: object = -1) -> str:
        """A name as a path from the root; '' if it is none, or not of the project."""
        if not isinstance(name, (str, bytes, os.PathLike)):
            return ''  # a descriptor
        text: str = os.fsdecode(name)
        if isinstance(fd, int) and fd >= 0 and not os.path.isabs(text):
            text = os.path.join(os.readlink(f'/proc/self/fd/{fd}'), text)
        path = os.path.abspath(text)
        if path not in self._known:
            self._known[path] = self._belongs(path)
        return path if self._known[path] else ''

    def _belongs(self, path: str) -> bool:
        real = os.path.realpath(path)
        if any(f'{spelled}/'.startswith(self._foreign) for spelled in (path, real)):
            return False
        for project in self._projects:
            for spelled in (path, real):  # a link in the project that leads out of it is of the project
                inside = spelled.startswith(project.root) and not PASSED_OVER & set(spelled[len(project.root) :].split('/'))
                if inside and (spelled != real or project.of_file(real) == LOCAL):
                    return True
        return False

    def shown(self, path: str) -> str:
        """As one would declare it."""
        return os.path.relpath(path, self.directory)

    def declared(self, paths: Iterable[str]) -> frozenset[str]:
        """Where declared paths are."""
        return frozenset(os.path.realpath(os.path.join(self.directory, path)) for path in paths)


class Files:
    """What a function did to files of the project, each in the order in which it was met first."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._databases: dict[str, object] = {}  # what they were like when they were opened
        self.read: dict[str, None] = {}
        self.wrote: dict[str, None] = {}
        self.removed: dict[str, None] = {}
        self.programs: dict[str, None] = {}
        self.connected: dict[str, None] = {}

    def handlers(self) -> dict[str, Callable[..., None]]:
        """By event, see https://docs.python.org/3/library/audit_events.html."""
        return {
            'open': self._opened, 'os.truncate': self._written, 'os.rename': self._renamed, 'os.link': self._linked,
            'os.symlink': self._symlinked, 'os.remove': self._removed, 'sqlite3.connect': self._database,
            'subprocess.Popen': self._started, 'os.system': self._shell, 'os.exec': self._executed,
            'os.posix_spawn': self._executed, 'os.fork': self._forked, 'socket.connect': self._connected,
        }  # fmt: skip

    def _opened(self, name: object, mode: object, flags: int) -> None:
        path = self._scope.path(name)
        if not path:
            return
        access = flags & os.O_ACCMODE
        if access != os.O_WRONLY and not flags & os.O_TRUNC:
            self._reads(path)
        if access != os.O_RDONLY or flags & os.O_TRUNC:
            self.wrote.setdefault(path)

    def _reads(self, path: str) -> None:
        if path not in self.wrote and path not in self.read and _is_file(path):
            self.read[path] = None

    def _written(self, name: object, *_: object) -> None:
        if path := self._scope.path(name):
            self.wrote.setdefault(path)

    def _renamed(self, source: object, target: object, source_fd: object = -1, target_fd: object = -1) -> None:
        """What was there under the old name is used; of a file that the task wrote itself only the new name counts."""
        if path := self._scope.path(source, source_fd):
            self._reads(path)
            self._removed(source, source_fd)
        if path := self._scope.path(target, target_fd):
            self.wrote.setdefault(path)

    def _linked(self, source: object, target: object, source_fd: object = -1, target_fd: object = -1) -> None:
        if path := self._scope.path(source, source_fd):
            self._reads(path)
        if path := self._scope.path(target, target_fd):
            self.wrote.setdefault(path)

    def _symlinked(self, source: object, target: object, target_fd: object = -1) -> None:
        if path := self._scope.path(target, target_fd):
            self.wrote.setdefault(path)

    def _removed(self, name: object, fd: object = -1) -> None:
        path = self._scope.path(name, fd)
        if path and path not in self.wrote and os.path.lexists(path):
            self.removed[path] = None

    def _database(self, name: object) -> None:
        path = self._scope.path(_database_file(name))
        if path and path not in self._databases:
            self._databases[path] = _signature(path)

    def settle_databases(self) -> None:
        """SQLite opens its files itself, so what was done to them shows only when they are looked at again."""
        for path, before in self._databases.items():
            if before is not None and path not in self.wrote:
                self.read[path] = None
            if _signature(path) != before:
                self.wrote[path] = None

    def _started(self, executable: object, arguments: Any, *_: object) -> None:
        words = [arguments] if isinstance(arguments, (str, bytes)) else list(arguments)
        said = [os.fsdecode(word) for word in words] or [os.fsdecode(executable)]  # type: ignore[arg-type]
        if said[1:2] == ['-c'] and os.path.basename(said[0]) in ('sh', 'bash'):
            self._shell(said[2])
        elif not any('awflow.backends' in word for word in said):  # a schedule within the task has processes of its own
            self.programs[os.path.basename(said[0])] = None

    def _shell(self, command: str | bytes) -> None:
        self.programs[os.path.basename((os.fsdecode(command).split() or ['sh'])[0])] = None

    def _executed(self, path: object, *_: object) -> None:
        self.programs[os.path.basename(os.fsdecode(path))] = None  # type: ignore[arg-type]

    def _forked(self) -> None:
        self.programs['forked processes'] = None

    def _connected(self, socket: object, address: object) -> None:
        if isinstance(address, tuple):  # otherwise a socket in the filesystem
            self.connected[f'{address[0]}:{address[1]}'] = None


class Asked:
    """The files that conditions ask for, and those that they find by pattern or by listing a directory."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._paths: set[str] = set()
        self._listed: set[str] = set()
        self._patterns: list[str] = []

    def handlers(self) -> dict[str, Callable[..., None]]:
        """By event."""
        return {
            'stat': self._about, 'open': self._about, 'sqlite3.connect': lambda name: self._about(_database_file(name)),
            'os.listdir': self._lists, 'os.scandir': self._lists, 'glob.glob': self._globs,
            'pathlib.Path.glob': self._globs_below, 'pathlib.Path.rglob': self._globs_far_below,
        }  # fmt: skip

    def _about(self, name: object, *_: object) -> None:
        """Somebody asks for this path."""
        if path := self._scope.path(name):
            self._paths.add(os.path.realpath(path))

    def _lists(self, name: object) -> None:
        if path := self._scope.path('.' if name is None else name):
            self._listed.add(os.path.realpath(path))

    def _globs(self, pattern: Any, *_: object) -> None:
        self._patterns.append(os.path.abspath(os.fsdecode(pattern)))

    def _globs_below(self, folder: Any, pattern: Any) -> None:
        self._globs(os.path.join(folder, pattern))

    def _globs_far_below(self, folder: Any, pattern: Any) -> None:
        self._globs(os.path.join(folder, '**', pattern))

    def names(self, path: str) -> bool:
        """Whether a condition asked for that file. A glob lists directories too, of which only what it fits counts."""
        if os.path.realpath(path) in self._paths or any(_fits(path, pattern) for pattern in self._patterns):
            return True
        folder = os.path.realpath(os.path.dirname(path))
        globbed = (os.path.realpath(pattern[: _first_magic(pattern)].rpartition('/')[0]) for pattern in self._patterns)
        return folder in self._listed and not any(f'{folder}/'.startswith(f'{top}/') for top in globbed)


def covered(path: str, declared: Collection[str]) -> bool:
    """Whether a path is one of those declared, or below one that is a directory."""
    path = os.path.realpath(path)
    while path not in declared:
        path, _, name = path.rpartition('/')
        if not name:
            return False
    return True


@contextmanager
def _stat_is_heard(hear: Callable[[object], None]) -> Iterator[None]:
    """While it lasts, whoever asks for a file by os.stat and its like, as os.path and pathlib do, is heard."""
    places: list[tuple[Any, str]] = [(os, name) for name in ASKING]
    accessor = getattr(sys.modules.get('pathlib'), '_NormalAccessor', None)  # Python 3.10's pathlib keeps its own os.stat
    places += [(accessor, 'stat')] if accessor is not None else []
    kept = [vars(owner)[name] for owner, name in places]
    for owner, name in places:
        heard = _heard(getattr(owner, name), hear)
        setattr(owner, name, heard if owner is os else staticmethod(heard))
    try:
        yield
    finally:
        for (owner, name), function in zip(places, kept, strict=True):
            setattr(owner, name, function)


def _heard(function: Callable[..., Any], hear: Callable[[object], None]) -> Callable[..., Any]:
    def hearing(path: Any, *args: Any, **kwargs: Any) -> Any:
        hear(path)
        return function(path, *args, **kwargs)

    return hearing


def _imported(script: str) -> frozenset[str]:
    """The source files of what is imported, which fingerprints cover."""
    files = [script] if script else []
    for module in list(sys.modules.values()):
        spec = getattr(module, '__spec__', None)
        files += [f for f in (getattr(module, '__file__', None), getattr(spec, 'origin', None)) if isinstance(f, str)]
    return frozenset(map(os.path.realpath, files))


def _is_file(path: str) -> bool:
    try:
        return S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def _signature(path: str) -> object:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _database_file(name: Any) -> object:
    """The file of an SQLite connection; 0 if it has none."""
    text = os.fsdecode(name)
    if text.startswith('file:'):
        text = text[5:].partition('?')[0]
        text = text[1:] if text.startswith('//') else text
    return 0 if text in ('', ':memory:') else text


def _fits(path: str, pattern: str) -> bool:
    if '**' in pattern:
        return fnmatchcase(path, pattern.replace('**/', '*'))
    return path.count('/') == pattern.count('/') and fnmatchcase(path, pattern)


def _first_magic(pattern: str) -> int:
    return min((at for sign in '*?[' if (at := pattern.find(sign)) >= 0), default=len(pattern))


def _bounded(found: dict[str, list[str]]) -> dict[str, Any]:
    report: dict[str, Any] = {kind: names[:LISTED] for kind, names in found.items() if names}
    more = {kind: len(names) - LISTED for kind, names in found.items() if len(names) > LISTED}
    return {**report, 'more': more} if more else report
