"""Results whose classes the script defines."""

from __future__ import annotations

from typing import Any

TEXT = """
    from dataclasses import dataclass
    from enum import Enum
    from awflow import after, job, schedule

    class State(Enum):
        GOOD = 1

    @dataclass
    class Fit:
        slope: float

    @job
    def fit():
        return Fit(2.0), State.GOOD

    @after(fit)
    @job
    def use():
        found, state = fit.result()
        assert isinstance(found, Fit) and state is State.GOOD
        print('used in version 1')

    schedule(use)
    found, state = fit.result()
    assert type(found) is Fit and state is State.GOOD
"""


def test_a_result_is_of_the_scripts_own_class_in_the_same_run_and_in_a_later_one(workspace: Any) -> None:
    workspace.script(TEXT)
    assert workspace.run().returncode == 0
    workspace.edit('version 1', 'version 2')
    again = workspace.run()
    assert (again.returncode, again.executed) == (0, ['use'])
