"""Rows 1 to 3 of docs/reliability.md: whoever is killed, whenever, each row is loaded once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.account import contents
from tests.faults.campaign import CAMPAIGN, Campaign
from tests.faults.site import PRIVACY_KEY, Site, kill_backend
from tests.faults.traffic import BAD
from tests.faults.wire import POINTS, Link, Point, Strike

ANY = Point("nothing")
MESSAGES = 130
"""About as many messages as two batches take; the seed picks one of them."""


@pytest.mark.parametrize("point", POINTS)
def test_row_01_a_loader_killed_at_a_named_point(site: Site, point: str) -> None:
    """Before COMMIT nothing of the batch is there, after it all of it; the next run loads the rest."""
    site.traffic.append_bad(BAD[0])
    site.traffic.append(60)
    assert site.kill_at(POINTS[point])
    if not point.startswith("while COMMIT"):  # which may or may not have come through
        n_whole = int(point.startswith("after COMMIT"))
        for table in ("llmmon.ingest_batch", "audit.event"):
            assert site.rows(f"SELECT count(*) FROM {table}") == [(n_whole,)]
    site.assert_whole()


def test_row_01_the_command_line_killed_as_it_is_installed(site: Site) -> None:
    """The installed program, not forked from anything, killed in the middle of its second batch and run again."""
    site.traffic.append(100)
    program = [str(Path(sys.executable).parent / "llmmon"), *site.command()]
    running: list[subprocess.Popen[bytes]] = []

    def kill(link: Link) -> bool:
        running[0].send_signal(signal.SIGKILL)
        link.cut()
        return False

    site.wire.arm(Strike(POINTS["within COPY of facts"], kill, occurrence=1))
    environment = {**os.environ, "LLMMON_PRIVACY_KEY": PRIVACY_KEY}
    with site.output.open("ab") as output:
        running.append(subprocess.Popen(program, env=environment, stdout=output, stderr=output))
        assert running[0].wait(60) == -signal.SIGKILL
        assert site.rows("SELECT count(*) FROM llmmon.ingest_batch") == [(1,)]
        assert subprocess.run(program, env=environment, stdout=output, stderr=output, check=False).returncode == 0
    site.assert_whole()


@pytest.mark.timeout(300 + 5 * CAMPAIGN.n_kills)
def test_rows_02_and_03_seeded_kills_of_loaders_backends_and_the_server(
    make_site: Callable[[], Site], dice: random.Random, campaign: Campaign
) -> None:
    """So many kills -9 while the log grows: afterwards every row is in one place, as if nothing had happened."""
    site = make_site()
    rounds = 0
    while campaign.kills.total() < campaign.n_kills:
        rounds += 1
        assert rounds <= 3 * campaign.n_kills, f"faults seldom strike: {campaign.kills}; {site.told()}"
        site.traffic.append(dice.randint(20, 60))
        victim, kill = dice.choices(KILLS, weights=[7, 6, 4, 2, 1])[0]
        campaign.kills[victim] += kill(site, dice)
    site.drain()
    site.drain()
    campaign.account = site.account()
    undisturbed = make_site()
    undisturbed.configure(site.config.read_text())
    undisturbed.drain()
    differ = sum(
        one != other for one, other in zip(contents(site.database), contents(undisturbed.database), strict=True)
    )
    campaign.account.find("unaccounted", differ, "rows are not as an undisturbed load stores them")
    assert campaign.account.closes, "\n".join(campaign.account.findings)


def _loader_at_a_named_point(site: Site, dice: random.Random) -> bool:
    return site.kill_at(POINTS[dice.choice(sorted(POINTS))], occurrence=dice.randrange(2))


def _loader_at_any_message(site: Site, dice: random.Random) -> bool:
    return site.kill_at(ANY, occurrence=dice.randrange(MESSAGES))


def _loader_at_any_time(site: Site, dice: random.Random) -> bool:
    return site.kill_after(dice.uniform(0.01, 0.5))


def _backend(site: Site, dice: random.Random) -> bool:
    return site.strike(POINTS[dice.choice(sorted(POINTS))], kill_backend)[0]


def _server(site: Site, dice: random.Random) -> bool:
    process = site.start()
    time.sleep(dice.uniform(0.05, 0.3))
    site.cluster.kill()
    site.cluster.start()
    site.finish(process)
    return True


KILLS = [
    ("loaders", _loader_at_a_named_point),
    ("loaders", _loader_at_any_message),
    ("loaders", _loader_at_any_time),
    ("backends", _backend),
    ("servers", _server),
]


@pytest.mark.parametrize(
    ("sabotage", "point", "occurrence", "figure"),
    [
        ("cursor_before_rows", "before COMMIT", 3, "lost"),
        ("cursor_after_rows", "before the cursor moves", 3, "double_counted"),
        ("audit_before_rows", "before COMMIT", 1, "unaccounted"),
    ],
)
def test_the_accounts_notice_a_loader_that_breaks_the_contract(
    site: Site, sabotage: str, point: str, occurrence: int, figure: str
) -> None:
    """A kill in the second batch shows each broken loader by the figure that it is about."""
    site.traffic.append(100)
    assert site.kill_at(POINTS[point], occurrence, sabotage=sabotage)
    site.drain()
    found = site.account()
    assert getattr(found, figure) > 0, found.findings
