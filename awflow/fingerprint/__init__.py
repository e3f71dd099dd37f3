"""What a job depends on: its code, and every value that its code reaches."""

from __future__ import annotations

from awflow.fingerprint.components import difference, same, same_component, shown
from awflow.fingerprint.reach import Fingerprint, Fingerprinter, Note, digest

__all__ = ['Fingerprint', 'Fingerprinter', 'Note', 'difference', 'digest', 'same', 'same_component', 'shown']
