"""A way of making numbers is written down once."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

from llmmon.model import Provenance
from llmmon.store.provenance import remember

PSI = Provenance(
    kind="metrics",
    plugin="psi",
    parameters={"bins": 10, "edges": [0.5]},
    code_version="1",
    config_digest="ab",
    seed=2**62,
)


def test_equal_provenances_have_one_number_and_others_another(database):
    """Remembering twice, also in another transaction, gives the same number; another parameter gives another."""
    with database.transaction() as connection:
        first = remember(connection, PSI)
    with database.transaction() as connection:
        assert remember(connection, PSI) == first
        assert remember(connection, dataclasses.replace(PSI, parameters={"bins": 20})) != first
        stored = connection.exec_driver_sql(
            "SELECT plugin, parameters, seed, model_revision FROM llmmon.provenance WHERE provenance_id = %s", (first,)
        ).one()
    assert tuple(stored) == ("psi", {"bins": 10, "edges": [0.5]}, 2**62, None)


def test_processes_that_write_the_same_provenance_at_once_agree(database):
    """Eight threads remember the same three provenances in opposite orders; no deadlock, three rows."""
    several = [dataclasses.replace(PSI, seed=seed) for seed in range(3)]

    def work(index: int) -> dict[int | None, int]:
        found = {}
        for one in several if index % 2 else reversed(several):
            with database.transaction() as connection:
                found[one.seed] = remember(connection, one)
        return found

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(work, range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert len(set(answers[0].values())) == 3
