"""Planning that takes long says so."""

from __future__ import annotations

from tests.conftest import Workspace


def test_who_waits_for_a_plan_is_told_what_is_going_on(workspace: Workspace) -> None:
    workspace.write('big', 'x' * 2**20)
    workspace.script("""
        import sys
        from threading import Event
        from awflow import meanwhile
        meanwhile.FIRST = 0.001
        told = Event()

        class Errors:
            flush = sys.stderr.flush
            def write(self, text):
                sys.__stderr__.write(text)
                if '1 MiB of files read' in text:
                    told.set()

        sys.stderr = Errors()
        meanwhile.LATER = 0.001

        @inputs('big')
        @job
        def first(): pass

        @after(first)
        @ensure(lambda: told.wait(60))
        @job
        def second(): pass

        schedule(second)
    """)
    ran = workspace.run()
    assert ran.returncode == 0, ran
    assert 'awflow: looking at what is there, for 0 s so far, 1 MiB of files read' in ran.stderr
