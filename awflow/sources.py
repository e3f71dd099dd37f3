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
        from awflow.fingerprint.components import WITH_SOURCE

        held, found = self._state.all_sources, dict[str, dict[str, str]]()
        for component, text in {item for components in codes.values() for item in components.items()}:
            if component.startswith(WITH_SOURCE) and text not in held.get(component, ()):
                source = self.of(component, text)
                if source:
                    found.setdefault(component, {})[text] = source
        return {component: found[component] for component in sorted(found)}
