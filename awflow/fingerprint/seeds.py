"""Whether a random generator was seeded, read from the generator itself.

The problem. A generator without a seed starts at another place in every process, so a task that reaches one through a global
runs again for ever, and the user must be told. One with a seed is a value like any other, and a warning would be noise.
Neither says which it is.

numpy keeps what its generators were made from. Lists and small numbers were written by somebody; a number of 128 bits is what
the system gives and what numpy's manual tells people to write down, so it counts as a seed if the project's text has it. The
legacy way to seed forgets what a generator was made from.

`random.Random` keeps a state of 624 words, made by mixing a key into a known state, again and again from its start if it is
short. The mixing can be undone. A seed is a key of a few words, so its repetition shows; without one the key is 624 words of
noise. A generator that was used has been twisted once every 624 words, which can be undone as well.
"""

from __future__ import annotations

import sys

from awflow.fingerprint.project import LOCAL, file_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Final

    from awflow.fingerprint.project import Project

WORDS: Final = 624
MASK: Final = 0xFFFFFFFF
TOP: Final = 0x80000000
LONGEST: Final = 311  # words of a key whose repetition can be seen
BLOCKS: Final = 16  # of 624 words that are undone before giving up, 0.7 ms each
WIDE: Final = 1 << 96  # the system gives 128 bits


def is_seeded(generator: Any, project: Project) -> bool:
    """Whether a generator of `random` or numpy starts at the same place in every process, as far as can be told."""
    getstate = getattr(generator, 'getstate', None)
    if getstate is not None:  # of random
        state = getstate()
        words: Sequence[int] = state[1] if isinstance(state, tuple) and len(state) == 3 else ()
        return len(words) == WORDS + 1 and _has_short_key(words[:WORDS], words[WORDS])
    bits = getattr(generator, 'bit_generator', None) or getattr(generator, '_bit_generator', generator)
    source = getattr(bits, 'seed_seq', None) or getattr(bits, '_seed_seq', None) or generator
    entropy = getattr(source, 'entropy', ())
    if entropy is None or not isinstance(entropy, int) or entropy < WIDE:
        return entropy is not None
    return _is_written(entropy, project)


def _is_written(number: int, project: Project) -> bool:
    """Whether the number stands in a file of the project that is loaded."""
    spellings = (str(number).encode(), f'{number:x}'.encode())
    for module in list(sys.modules.values()):
        path = file_of(module) if hasattr(module, '__dict__') and project.of_module(module) == LOCAL else None
        try:
            with open(path or '', 'rb') as file:
                text = file.read().replace(b'_', b'').lower()
        except OSError:
            continue
        if any(spelling in text for spelling in spellings):
            return True
    return False


def _has_short_key(state: Sequence[int], position: int) -> bool:
    """Whether a Mersenne Twister was seeded by something short, and has not been used too often to tell."""
    if position == WORDS and state[0] == TOP:  # as seeded: used, its first word is any other
        return _repeats(_key(state))
    for _ in range(BLOCKS):
        state = _untwisted(state)
        if state[0] & TOP and _repeats(_key(state)):
            return True
    return False


def _key(state: Sequence[int]) -> list[int]:
    """The key that was mixed in, each word plus its position, but for the first two: `init_by_array` undone."""
    second = ((state[1] + 1) & MASK) ^ _mixed(state[WORDS - 1], 1566083941)
    before = [0, second, ((state[2] + 2) & MASK) ^ _mixed(second, 1566083941)]
    before += [((state[i] + i) & MASK) ^ _mixed(state[i - 1], 1566083941) for i in range(3, WORDS)]
    start = _start()
    return [(before[i] - (start[i] ^ _mixed(before[i - 1], 1664525))) & MASK for i in range(3, WORDS)]


def _start() -> list[int]:
    """The known state into which keys are mixed."""
    words = [19650218]
    for i in range(1, WORDS):
        words.append((1812433253 * (words[-1] ^ (words[-1] >> 30)) + i) & MASK)
    return words


def _mixed(word: int, factor: int) -> int:
    return ((word ^ (word >> 30)) * factor) & MASK


def _repeats(key: list[int]) -> bool:
    return any(key[:-period] == key[period:] for period in range(1, LONGEST + 1))


def _untwisted(state: Sequence[int]) -> list[int]:
    """The state 624 words ago; of the first word of all only the highest bit can be known."""
    words = list(state)
    for i in reversed(range(WORDS)):
        here = _unmixed(words[i] ^ words[(i + 397) % WORDS])
        below = _unmixed(words[i - 1] ^ words[(i + 396) % WORDS])
        words[i] = (here & TOP) | (below & ~TOP)
    return words


def _unmixed(word: int) -> int:
    """The upper bit of a word and the lower bits of the next, from what twisting made of them."""
    if word & TOP:
        return ((word ^ 0x9908B0DF) << 1 | 1) & MASK
    return (word << 1) & MASK
