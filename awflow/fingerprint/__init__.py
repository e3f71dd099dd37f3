"""What a task depends on in code and values, and whether that changed."""

from awflow.fingerprint.components import Note, difference, same, same_component, shown
from awflow.fingerprint.fingerprinter import Fingerprinter, digest
from awflow.fingerprint.known import Known
from awflow.fingerprint.variants import Fingerprint, Pattern, Shared

__all__ = [
    'Fingerprint',
    'Fingerprinter',
    'Known',
    'Note',
    'Pattern',
    'Shared',
    'difference',
    'digest',
    'same',
    'same_component',
    'shown',
]
