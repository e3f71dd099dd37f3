"""Planning for `awflow accept` and `awflow why --now`: the script is started, `schedule` plans, hands over, and ends it.

Only the script can say what its jobs are now, so these commands start it once more in a process of its own, with a variable
that names a request. A schedule that holds a job that was asked for writes down its plan and what it compared, and the process
ends there, before anything runs and before what follows in the script. A schedule before that, of other jobs, returns as
usual if it has nothing to do, as it would in any run; if it has, the process ends, because the script below may rely on it.
"""

from __future__ import annotations

import json
import os

from awflow.explain import Account
from awflow.state.ledger import decode_keys
from awflow.verdict import is_success

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from awflow.plan import Plan
    from awflow.planner import Planner
    from awflow.subject import Subject

PLANNING = 'AWFLOW_PLANNING'  # names a file: {root, workflow, tasks: {job: keys}, reply: path}, with `roster` all jobs are told


def hand_over(planner: Planner) -> Plan:
    """Answer the request if it is about these jobs, and end the process; otherwise return a plan that does nothing."""
    with open(os.environ[PLANNING], encoding='ascii') as file:
        request = json.load(file)
    plan = planner.plan(*planner.read())
    layout = planner.store.layout
    asked = os.path.realpath(request['root']) == os.path.realpath(layout.root) and request['workflow'] == layout.workflow
    wanted = [subject for subject in planner.subjects if asked and subject.name in request['tasks']]
    if asked and request.get('roster'):
        _append(request['reply'], {'roster': [subject.name for subject in planner.subjects]})
    if wanted:
        _append(request['reply'], _reply(planner, plan, wanted, request['tasks']))
        request['tasks'] = {job: keys for job, keys in request['tasks'].items() if job not in {s.name for s in wanted}}
        if not request['tasks'] or plan:
            raise SystemExit(0)
        with open(os.environ[PLANNING], 'w', encoding='ascii') as file:
            json.dump(request, file)
    elif plan:
        _append(request['reply'], {'stopped': list(plan.tasks()), 'root': layout.root, 'workflow': layout.workflow})
        raise SystemExit(0)
    return plan


def _append(path: str, reply: dict[str, Any]) -> None:
    with open(path, 'a', encoding='ascii') as file:
        file.write(json.dumps(reply) + '\n')


def _reply(planner: Planner, plan: Plan, wanted: list[Subject], asked: dict[str, Any]) -> dict[str, Any]:
    state = planner.survey.state
    account = Account.of_plan(plan, planner.survey.sources.of)
    codes = {subject.code: subject.components for subject in wanted}
    return {
        'last': state.last, 'script': planner.place.script_name, 'directory': planner.place.directory,
        'account': account.to_json(), 'codes': codes, 'sources': planner.survey.sources.now(codes, account.named()),
        'tasks': {s.name: _tasks(planner, plan, s, decode_keys(asked[s.name])) for s in wanted},
        'declares_outputs': [subject.name for subject in wanted if subject.job.declares_outputs],
    }  # fmt: skip


def _tasks(planner: Planner, plan: Plan, subject: Subject, keys: list[str]) -> dict[str, Any]:
    """What is compared of each task that succeeded last time, as it is now."""
    found: dict[str, Any] = {}
    places = {key: row for row, key in enumerate(subject.keys)}
    for key in keys:
        row = places.get(key)
        known = subject.rows.row(key) if subject.rows is not None else None
        if row is None or known is None or subject.rows is None or not is_success(subject.rows.record(known)):
            continue
        shared: dict[str, str] = {}
        partners: dict[str, str] = {}
        for link in subject.links:
            (shared if link.partners is None else partners)[link.component] = plan.end_of(link, row).hex()
        contents = {path: planner.digests.of(path) for path in subject.outputs.get(row, ())}
        found[key] = {
            'code': subject.code, 'upstream': shared, 'own': subject.own(row, planner.survey.inputs(subject, row), partners),
            'outputs': {path: content and [content.digest, content.size] for path, content in contents.items()},
        }  # fmt: skip
    return found
