"""What a task depends on in code and values, and whether that changed."""

from awflow.fingerprint.components import Fingerprint, Note, difference, same, same_component, shown
from awflow.fingerprint.fingerprinter import Fingerprinter, digest

__all__ = ['Fingerprint', 'Fingerprinter', 'Note', 'difference', 'digest', 'same', 'same_component', 'shown']
