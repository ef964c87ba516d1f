"""One run of a study at a time: taken where Snakemake executes rules, not where it plans, lints, reports or unlocks."""

import functools
import os
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.jobs import Job

from ecgwas import runs
from ecgwas.errors import UserError

runs.this_python_first()


def in_words(function):
    """The function with a `UserError` as an error of the workflow: one line, no traceback."""

    @functools.wraps(function)
    def called(*args, **named):
        try:
            return function(*args, **named)
        except UserError as error:
            raise WorkflowError(f"error: {error}") from None

    return called


take, check_held, check_current = map(in_words, (runs.start, runs.check_held, runs.check_current))


def as_one_run(execute, unlock):
    """`workflow.execute` that holds the study while it lasts, and gives its id to the jobs by the environment."""

    @functools.wraps(execute)
    def executed(*args, **named):
        plugin = named.get("executor_plugin") or args[0]
        if plugin.common_settings.dryrun_exec:
            return execute(*args, **named)
        run = take(Path.cwd())
        os.environ[runs.VARIABLE] = run.id
        workflow.register_envvars(runs.VARIABLE)  # for executors that pass on what they are told to
        runs.sweep(Path.cwd())
        if any(Path(".snakemake/locks").glob("*.lock")):
            unlock()  # whoever made them is dead: the living hold the study
        try:
            return execute(*args, **named)
        finally:
            run.release()

    return executed


def refused_while_held(unlock):
    """`workflow.unlock` that leaves the lock of a live run alone."""

    @functools.wraps(unlock)
    def unlocked():
        check_held(Path.cwd())
        return unlock()

    return unlocked


def refused_when_superseded(step):
    """A step of a job's life, such as the removal of earlier output, for a job whose run is still the study's."""

    @functools.wraps(step)
    async def taken(*args, **named):
        check_current(Path.cwd())
        return await step(*args, **named)

    return taken


if workflow.is_main_process:
    os.environ.pop(runs.VARIABLE, None)  # of a run that this one may have been started from
    workflow.execute = as_one_run(workflow.execute, workflow.unlock)
    workflow.unlock = refused_while_held(workflow.unlock)
else:  # a job on a cluster: Snakemake there removes earlier output, cleans up after failures, notes what was made how
    Job.prepare, Job.postprocess = map(refused_when_superseded, (Job.prepare, Job.postprocess))
