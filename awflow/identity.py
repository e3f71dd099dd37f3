"""What one task's identity is made of besides the code that its job shares. Pure."""

from __future__ import annotations

from awflow.state.record import names_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from awflow.state.record import Record


def paths_digest(paths: Sequence[str]) -> str:
    """The digest of the paths that a task declares to make."""
    return names_digest(paths)


def with_parts(own: Mapping[str, str], inputs: Mapping[str, str], upstream: Mapping[str, str]) -> dict[str, str]:
    """Value and paths of a task, its inputs, and the outcomes of its partners."""
    parts = dict(own)
    for path, content in inputs.items():
        parts[f'input {path}'] = content
    for name, outcome in upstream.items():
        parts[f'upstream {name}'] = outcome
    return parts


def upstream_part(own: Mapping[str, str]) -> dict[str, str]:
    """The components of an identity that name upstream elements (`each` edges); they are compared apart."""
    return {name: digest for name, digest in own.items() if name.startswith('upstream ')}


def local_part(own: Mapping[str, str]) -> dict[str, str]:
    """The rest: value, paths and inputs."""
    return {name: digest for name, digest in own.items() if not name.startswith('upstream ')}


def unchanged(mode: str, was: Record, own: Mapping[str, str], upstream: Mapping[str, str]) -> bool:
    """Whether a task that starts now would do what it did: same inputs, same outcomes of what it waited for.

    With `waitfor('any')` only the upstreams that were used count.
    """
    if local_part(was.own) != local_part(own):
        return False
    if mode == 'all':
        return was.upstream == upstream and upstream_part(was.own) == upstream_part(own)
    now = {**upstream, **upstream_part(own)}
    used = {**was.upstream, **upstream_part(was.own)}
    return all(now.get(name) == end for name, end in used.items())
