"""One Postgres that may be killed, sites in it, and the figures of the run."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.campaign import CAMPAIGN, Campaign
from tests.faults.cluster import Cluster
from tests.faults.site import PRIVACY_KEY, Site


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures, whether or not they are what they have to be."""
    found = CAMPAIGN.account
    if found is None:
        return
    by_victim = ", ".join(f"{victim} {n}" for victim, n in sorted(CAMPAIGN.kills.items()))
    terminalreporter.write_sep("-", "seeded kills")
    terminalreporter.write_line(
        f"faults: seed={CAMPAIGN.seed}, kills={CAMPAIGN.kills.total()}, lost={found.lost}, "
        f"double-counted={found.double_counted}, unaccounted={found.unaccounted} ({by_victim})"
    )


@pytest.fixture(scope="session")
def campaign() -> Campaign:
    """Return the settings and figures of this run."""
    return CAMPAIGN


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Yield a running server with fsync on."""
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    made.start()
    yield made
    made.remove()


@pytest.fixture
def dice(request: pytest.FixtureRequest, campaign: Campaign) -> random.Random:
    """Return the dice of this test; the seed is in the report of a failure."""
    request.node.user_properties.append(("seed", campaign.seed))
    print(f"LLMMON_FAULT_SEED={campaign.seed}")
    return campaign.dice(request.node.name)


@pytest.fixture
def make_site(
    cluster: Cluster, tmp_path: Path, dice: random.Random, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Site]]:
    """Yield a factory of sites, each with a database and a log of its own."""
    monkeypatch.setenv("LLMMON_PRIVACY_KEY", PRIVACY_KEY)
    sites: list[Site] = []
    numbers = itertools.count()

    def make() -> Site:
        sites.append(Site(cluster, tmp_path / f"site-{next(numbers)}", dice))
        return sites[-1]

    yield make
    for site in sites:
        site.close()


@pytest.fixture
def site(make_site: Callable[[], Site]) -> Site:
    """Return a site."""
    return make_site()
