"""False alarms of a deployment-year in which nothing changes, and the delay until a change is found."""

from __future__ import annotations

from benchmarks.alarms import catalogue, data, detection, false_alarms
from benchmarks.alarms.false_alarms import Size, say
from benchmarks.alarms.rules import peers
from benchmarks.result import Grid

SUMMARY = "false alarms per deployment-year and detection delay: llmmon beside Evidently, NannyML, river, z-scores"
_PARTS = ("hourly", "short", "daily", "detection")


def run(
    seeds: int = 10,
    streams: int = 200,
    windows: int = 8760,
    days: int = 365,
    reference_days: int = 28,
    changed: int = 100,
    quick: int = 0,
    part: str = "all",
    only: str = "",
    first_seed: int = 0,
    alone: int = 0,
    jobs: int = 1,
) -> list[Grid]:
    """Measure both, on i.i.d. streams and, where LLMMON_DATA names the public data, on real ones.

    Parameters
    ----------
    seeds : int
        Deployments per kind of stream, and per task whose unchanged streams peers are brought to the budget on.
    streams : int
        Streams of a deployment.
    windows, days : int
        Tested hourly and daily windows.
    reference_days : int
        Days of reference in front of them.
    changed : int
        Streams per detection task, each with its own start of the change.
    quick : int
        1 for small sizes instead: for a look only, with too few deployments to tell 5% from 20%.
    part : str
        ``hourly``, ``short`` (hourly with a day of reference), ``daily``, ``detection`` or ``all``.
    only : str
        Detection tasks whose name holds this.
    first_seed : int
        Seeds count from here.
    alone : int
        1 to leave the peers out.
    jobs : int
        Processes to use; the figures are the same with any number.
    """
    if part not in (*_PARTS, "all"):
        raise SystemExit(f"benchmarks: part={part}: expected one of {', '.join(_PARTS)}, all")
    if quick:
        seeds, streams, windows, days, changed = 2, 30, 600, 60, 20
    if not data.is_there():
        say(data.MISSING)
    rules, numbers = () if alone else peers(), range(first_seed, first_seed + seeds)
    sizes = {
        "hourly": Size(label="hourly", n_windows=windows, n_reference=24 * reference_days, daily=False),
        "short": Size(label="hourly", n_windows=windows, n_reference=24, daily=False),
        "daily": Size(label="daily", n_windows=days, n_reference=reference_days, daily=True),
    }
    found = [
        false_alarms.measure(size, n_streams=streams, seeds=numbers, rules=rules, jobs=jobs)
        for name, size in sizes.items()
        if part in ("all", name)
    ]
    if part in ("all", "detection"):
        outcomes = detection.run_tasks(
            [task for task in catalogue.tasks() if only in task.name],
            rules,
            seeds=numbers,
            n_streams=streams,
            n_windows=windows,
            n_reference=24 * reference_days,
            n_changed=changed,
            jobs=jobs,
        )
        found += detection.grids(outcomes, rules, n_streams=streams)
    return found
