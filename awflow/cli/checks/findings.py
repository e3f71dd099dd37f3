"""What a check has found, as data: a verdict, what is so, and what awflow does about it or the user should."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

OK: Final = 'ok'
WARNING: Final = 'warning'  # it works, but somebody should know
UNFIT: Final = 'unfit'  # awflow cannot be used, or not what was recorded
SKIPPED: Final = 'skipped'  # it could not be looked at
RANK: Final = (SKIPPED, OK, WARNING, UNFIT)  # of the findings of a part the last in this order is the part's


class Finding:
    """One thing found. `does`: what awflow does about it, or what to do."""

    __slots__ = ('does', 'verdict', 'what')

    def __init__(self, verdict: str, what: str, does: str = '') -> None:
        self.verdict = verdict
        self.what = what
        self.does = does

    def __repr__(self) -> str:
        return f'Finding({self.verdict}: {self.what})'

    def to_dict(self) -> dict[str, str]:
        """For JSON."""
        return {'verdict': self.verdict, 'what': self.what, **({'does': self.does} if self.does else {})}


class Part:
    """The findings about one part, and facts about it that programs or later parts read."""

    __slots__ = ('facts', 'findings', 'name')

    def __init__(self, name: str) -> None:
        self.name = name
        self.findings: list[Finding] = []
        self.facts: dict[str, Any] = {}

    def ok(self, what: str, does: str = '') -> None:
        """Note what is in order."""
        self.findings.append(Finding(OK, what, does))

    def warn(self, what: str, does: str = '') -> None:
        """Note what somebody should know."""
        self.findings.append(Finding(WARNING, what, does))

    def unfit(self, what: str, does: str = '') -> None:
        """Note what prevents use."""
        self.findings.append(Finding(UNFIT, what, does))

    def skip(self, what: str, does: str = '') -> None:
        """Note what could not be looked at."""
        self.findings.append(Finding(SKIPPED, what, does))

    @property
    def verdict(self) -> str:
        """The worst of what was found."""
        return max((finding.verdict for finding in self.findings), key=RANK.index, default=SKIPPED)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        findings = [finding.to_dict() for finding in self.findings]
        return {'part': self.name, 'verdict': self.verdict, 'findings': findings, 'facts': self.facts}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Part:
        """Back from JSON."""
        part = cls(fields['part'])
        part.findings = [Finding(found['verdict'], found['what'], found.get('does', '')) for found in fields['findings']]
        part.facts = fields['facts']
        return part
