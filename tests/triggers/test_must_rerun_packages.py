"""Upgrades of installed packages, which count where they were asked for."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import Workspace
from tests.triggers.table import Projects, Row, must_rerun, project, table

FLOW = """
    import os, sys
    sys.path.insert(0, os.path.abspath('lib/site-packages'))
    import tool

    @job
    def uses(): print(tool.work())
    @job(packages=['tool'])
    def counts(): print(tool.work())
    @job(packages='some-tool', version='1')
    def counts_by_distribution(): print('version')
    @job
    def other(): print('other')
"""
TOOL = {
    'lib/site-packages/tool.py': 'def work(): return 1\n',
    'lib/site-packages/some_tool.dist-info/METADATA': 'Metadata-Version: 2.1\nName: some-tool\nVersion: 1.0\n',
    'lib/site-packages/some_tool.dist-info/top_level.txt': 'tool\n',
}
PACKAGES = project(FLOW, TOOL)


def upgraded(workspace: Workspace) -> None:
    workspace.edit('return 1', 'return 2', 'lib/site-packages/tool.py')
    workspace.edit('1.0', '2.0', 'lib/site-packages/some_tool.dist-info/METADATA')


def mended(workspace: Workspace) -> None:
    workspace.edit('return 1', 'return 2', 'lib/site-packages/tool.py')


@table(
    (PACKAGES, [
        Row('an upgrade of a package that counts', upgraded, runs='counts counts_by_distribution', names='package '),
        Row('an edit of a package that keeps its version', mended, runs=''),
        Row('a package that is to count', "@job\n    def uses".replace('    ', ''), "@job(packages=['tool'])\ndef uses", runs='uses', names='package tool'),
        Row('a package that is to count no more', "@job(packages=['tool'])", '@job', runs='counts', names='package tool'),
    ]),
)  # fmt: skip
def test_exactly_the_jobs_that_count_the_package_run_again(row: Row, projects: Projects) -> None:
    must_rerun(projects.after(row), row)


def test_an_upgrade_is_shown_with_both_versions_where_it_counts_and_where_it_does_not(workspace: Workspace) -> None:
    for name, text in PACKAGES.items():
        workspace.write(name, text)
    assert workspace.run().returncode == 0
    upgraded(workspace)
    ran = workspace.run()
    assert sorted(ran.executed) == ['counts', 'counts_by_distribution']
    plan = workspace.read('plan.json')
    assert '"old": "1.0", "new": "2.0"' in plan
    command = [sys.executable, '-m', 'awflow', 'why', 'uses']
    said = subprocess.run(command, cwd=workspace.path, text=True, capture_output=True, check=True).stdout
    assert 'package tool 1.0 -> 2.0: not counted' in said


def test_a_package_that_is_not_installed_is_refused(workspace: Workspace) -> None:
    workspace.script("""
        @job(packages=['no_such_package'])
        def f(): pass
        schedule(f)
    """)
    ran = workspace.run()
    assert ran.returncode == 1
    assert "job 'f' counts the package 'no_such_package', which is not installed here" in ran.stderr
