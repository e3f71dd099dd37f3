"""How many tasks a lane gets: what is over soon, never more than an even share, and one where tasks have to be watched."""

from __future__ import annotations

import pytest

from awflow.backends.pacing import LEAST, MOST, WORK, Pacing
from awflow.resources import parse

NUMBER = 3


def options(**given):
    return parse('f', given, {})


def known(seconds: float) -> Pacing:
    pacing = Pacing()
    pacing.learn(NUMBER, seconds)
    return pacing


def test_the_first_tasks_of_a_job_show_how_long_they_take():
    pacing = Pacing()
    assert pacing.lane(NUMBER, options(), 1000, 2) == 1
    pacing.learn(NUMBER, 0.001)
    assert pacing.lane(NUMBER, options(), 1000, 2) == MOST
    assert pacing.lane(NUMBER + 1, options(), 1000, 2) == 1


@pytest.mark.parametrize('seconds', [WORK / 10, WORK / 3, WORK, 10 * WORK, 1e9, 0.0])
def test_a_lane_has_work_for_a_moment(seconds):
    size = known(seconds).lane(NUMBER, options(), 10_000, 2)
    most = min(MOST, int(WORK / seconds) if seconds else MOST)
    assert size == (most if most >= LEAST else 1)


@pytest.mark.parametrize(('waiting', 'slots', 'size'), [(10, 2, 5), (11, 2, 5), (7, 2, 1), (1, 2, 1), (10, 1, 10), (7, 64, 1)])
def test_a_lane_gets_no_more_than_an_even_share(waiting, slots, size):
    assert known(0.0001).lane(NUMBER, options(), waiting, slots) == size


@pytest.mark.parametrize('given', [{'batch': 2}, {'throttle': 2}, {'timelimit': 60}, {'memory': '1G'}])
def test_tasks_that_share_a_process_or_have_to_be_watched_get_no_lane(given):
    assert known(0.0001).lane(NUMBER, options(**given), 1000, 2) == 1


def test_one_slow_task_makes_lanes_short_and_quick_ones_make_them_long_again():
    pacing = known(0.0001)
    pacing.learn(NUMBER, 100.0)
    assert pacing.lane(NUMBER, options(), 1000, 2) == 1
    for _ in range(30):
        pacing.learn(NUMBER, 0.0001)
    assert pacing.lane(NUMBER, options(), 1000, 2) == MOST
