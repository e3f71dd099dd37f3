"""Times, durations and sizes as people read them."""

from __future__ import annotations

from time import localtime, strftime

SIZES = ('bytes', 'kB', 'MB', 'GB', 'TB')


def moment(seconds: float, now: float) -> str:
    """A time of the local clock: with seconds if it is of today, else with its date; '' for none."""
    if not seconds:
        return ''
    then = localtime(seconds)
    return strftime('%H:%M:%S' if then[:3] == localtime(now)[:3] else '%Y-%m-%d %H:%M', then)


def duration(seconds: float) -> str:
    """`0.42 s`, `12.3 s`, `5 min 03 s`, `2 h 07 min`, `3 d 04 h`: what matters at each size."""
    if seconds < 59.95:
        return f'{seconds:.2f} s' if seconds < 9.995 else f'{seconds:.1f} s'
    whole = round(seconds)
    if whole < 3600:
        return f'{whole // 60} min {whole % 60:02} s'
    if whole < 86400:
        return f'{whole // 3600} h {whole % 3600 // 60:02} min'
    return f'{whole // 86400} d {whole % 86400 // 3600:02} h'


def clock(seconds: float) -> str:
    """What is only estimated, without digits that nobody knows: `5 s`, `3 min`, `2 h 10 min`, `3 d 4 h`."""
    if seconds < 90:
        return f'{max(round(seconds), 1)} s'
    minutes = round(seconds / 60)
    if minutes < 100:
        return f'{minutes} min'
    minutes = 10 * round(minutes / 10)
    return f'{minutes // 60} h {minutes % 60:02} min' if minutes < 1440 else f'{minutes // 1440} d {minutes % 1440 // 60} h'


def brief(seconds: float) -> str:
    """As `duration`, with what is shorter than 10 ms in smaller units."""
    if seconds >= 0.00995:
        return duration(seconds)
    return f'{seconds * 1e3:.1f} ms' if seconds >= 0.00095 else f'{seconds * 1e6:.0f} us'


def size(count: float) -> str:
    """Bytes, in powers of 1000."""
    if 0.5 <= count < 1.5:
        return '1 byte'
    for unit in SIZES[:-1]:
        if count < 999.5:
            return f'{count:.0f} {unit}' if unit == SIZES[0] or count >= 99.5 else f'{count:.1f} {unit}'
        count /= 1000
    return f'{count:.1f} {SIZES[-1]}'


def binary(count: float) -> str:
    """Bytes of memory as jobs ask for it, in powers of 1024: `512 MiB`, `2 GiB`, `2.9 GiB`."""
    mib = count / 2**20
    if mib < 1023.5:
        return f'{mib:.0f} MiB' if mib >= 9.95 else f'{mib:.1f} MiB'
    return f'{mib / 1024:.1f} GiB'.replace('.0 ', ' ')
