"""What is asked of sbatch: the job's own word, then the schedule's, then the user's configuration."""

from __future__ import annotations

from typing import Any

import pytest

from awflow import job
from awflow.backends.slurm.request import Site, arguments
from awflow.errors import OptionError


def asked(configured: dict[str, Any], given: dict[str, Any], **options: Any) -> list[str]:
    return arguments(job(name='asks', **options)(print), Site(configured, given))


def test_a_job_that_says_what_it_needs_gets_it_whatever_the_defaults_are() -> None:
    defaults = {'mem': '1G', 'time': '10:00', 'partition': 'main'}
    own = asked(defaults, {'gpus-per-node': 1}, memory='4GB', timelimit='1:00:00', gpus=2, partition='short')
    assert {'--mem=4096M', '--time=0-01:00:00', '--gpus=2', '--partition=short'} <= set(own)
    assert len(own) == len({option.partition('=')[0] for option in own})
    assert {'--mem=1G', '--time=10:00', '--gpus-per-node=1', '--partition=main'} <= set(asked(defaults, {'gpus-per-node': 1}))


@pytest.mark.parametrize('option', ['job_name', 'job-name', 'test-only', 'clusters'])
def test_options_that_awflow_gives_itself_are_refused_as_defaults_however_they_are_spelled(option: str) -> None:
    with pytest.raises(OptionError):
        Site({option: 'x'}, {})
    with pytest.raises(OptionError):
        job(name='asks', **{option.replace('-', '_'): 'x'})(print)
