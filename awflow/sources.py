"""What code looks like: as it is now, from its files; as it was, from the state."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from awflow.state.view import State
    from awflow.subject import Subject


class Sources:
    """Source texts of code components, for one planning. Nothing is read before it is asked for."""

    __slots__ = ('_current', '_excerpt', '_state', '_subjects')

    def __init__(self, excerpt: Callable[[str, str], str], subjects: Iterable[Subject], state: State) -> None:
        self._excerpt = excerpt
        self._subjects = subjects
        self._state = state
        self._current: frozenset[tuple[str, str]] | None = None

    def of(self, component: str, text: str) -> str:
        """The source of a component of that text, '' if it is not known."""
        if self._current is None:
            found = {id(subject.components): subject.components for subject in self._subjects}
            self._current = frozenset(item for components in found.values() for item in components.items())
        current = self._excerpt(component, text) if (component, text) in self._current else ''
        return current or self._state.all_sources.get(component, {}).get(text, '')

    def unknown(self, codes: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
        """Of the components of these codes, the sources that the state does not hold yet."""
        held = self._state.all_sources  # to find a source means to parse its file
        missing = {
            code: {name: text for name, text in components.items() if text not in held.get(name, ())}
            for code, components in codes.items()
        }
        return without(self.now(missing), held)

    def now(self, codes: Mapping[str, Mapping[str, str]], others: Iterable[tuple[str, str]] = ()) -> dict[str, dict[str, str]]:
        """The sources of the components of these codes, and of other components and texts."""
        from awflow.fingerprint.components import WITH_SOURCE

        found: dict[str, dict[str, str]] = {}
        for component, text in sorted({item for components in codes.values() for item in components.items()} | {*others}):
            if component.startswith(WITH_SOURCE) and (source := self.of(component, text)):
                found.setdefault(component, {})[text] = source
        return found


def without(sources: Mapping[str, Mapping[str, str]], held: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """The sources that are not held already."""
    found: dict[str, dict[str, str]] = {}
    for component, texts in sources.items():
        new = {text: source for text, source in texts.items() if text not in held.get(component, ())}
        if new:
            found[component] = new
    return found
