"""Proofs made in SQL against RFC 9162's own verification algorithms."""

from __future__ import annotations

import random
from base64 import b64encode

import pytest

from llmmon.audit import offline_verifier
from llmmon.audit.event import body
from llmmon.audit.tree import Tree
from llmmon.errors import StoreError
from llmmon.pipeline.seal import seal
from llmmon.store import ledger
from tests.integration.ledger import rfc9162
from tests.integration.ledger.conftest import KEY, append

N_EVENTS, N_PROOFS = 600, 10_000


@pytest.fixture
def leaves(database):
    """Return the leaf hashes of a ledger that was sealed in uneven steps."""
    draw = random.Random(11)
    n = 0
    while n < N_EVENTS:
        step = min(draw.choice([1, 1, 2, 3, 17, 60]), N_EVENTS - n)
        append(database, step, first=n)
        assert seal(database) == step
        n += step
    assert seal(database) == 0
    entries = list(ledger.entries(database))
    tree = Tree()
    assert [tree.add(entry.bytes) for entry in entries] == [entry.hash for entry in entries]
    return [entry.hash for entry in entries]


def test_ten_thousand_random_proofs_agree_with_the_rfc(database, leaves):
    """Every honest proof holds for its own leaf and size, and for no other."""
    draw = random.Random(12)
    roots = {size: rfc9162.tree_hash(leaves[:size]) for size in range(1, N_EVENTS + 1)}
    with database.transaction() as connection:
        assert {
            size: bytes(root)
            for size, root in connection.exec_driver_sql(
                "SELECT size, audit.tree_hash(0, size) FROM generate_series(1, %s) AS size", (N_EVENTS,)
            )
        } == roots
        drawn = [(draw.randrange(size), size) for size in (draw.randint(1, N_EVENTS) for _ in range(N_PROOFS // 2))]
        paths = connection.exec_driver_sql(
            "SELECT audit.inclusion_proof(m, 0, n) FROM unnest(%s::bigint[], %s::bigint[]) WITH ORDINALITY"
            " AS drawn (m, n, place) ORDER BY place",
            ([m for m, _ in drawn], [n for _, n in drawn]),
        ).scalars()
        for (index, size), raw in zip(drawn, paths, strict=True):
            path = [bytes(step) for step in raw]
            assert rfc9162.includes(leaves[index], index, size, roots[size], path)
            other = draw.randrange(N_EVENTS)
            assert rfc9162.includes(leaves[other], index, size, roots[size], path) == (other == index)
            assert not rfc9162.includes(leaves[index], index, size, roots[size], [*path, leaves[0]])
        drawn = [(draw.randint(1, size), size) for size in (draw.randint(1, N_EVENTS) for _ in range(N_PROOFS // 2))]
        paths = connection.exec_driver_sql(
            "SELECT audit.consistency_proof(m, 0, n) FROM unnest(%s::bigint[], %s::bigint[]) WITH ORDINALITY"
            " AS drawn (m, n, place) ORDER BY place",
            ([m for m, _ in drawn], [n for _, n in drawn]),
        ).scalars()
        for (first, second), raw in zip(drawn, paths, strict=True):
            path = [bytes(step) for step in raw]
            assert rfc9162.extends(first, second, roots[first], roots[second], path)
            if first != second:
                assert not rfc9162.extends(first, second, roots[second], roots[second], path)
                assert not rfc9162.extends(first, second, roots[first], roots[first], path)


def test_the_offline_verifier_takes_the_same_proofs(database, leaves):
    """Random proofs as files hold; with another index, size or step they do not."""
    draw = random.Random(13)
    for _ in range(40):
        size = draw.randint(2, N_EVENTS)
        entry = next(iter(ledger.entries(database, index := draw.randrange(size), index + 1)))
        with database.transaction() as connection:
            found = ledger.inclusion_proof(connection, entry.event_id, size)
        assert found is not None
        note = KEY.checkpoint(size, rfc9162.tree_hash(leaves[:size]))
        steps = [b64encode(bytes(step)).decode() for step in found.path]

        def proof(index, steps, entry=entry):
            extra = b64encode(entry.bytes).decode()
            return "\n".join(["c2sp.org/tlog-proof@v1", f"extra {extra}", f"index {index}", *steps])

        assert offline_verifier.check_proof(proof(index, steps), note, KEY.public) == entry.bytes
        swapped = [b64encode(leaves[0]).decode(), *steps[1:]] if index > 1 else [*steps, steps[0]]
        for wrong in (proof(index ^ 1, steps), proof(index, steps[:-1]), proof(index, swapped)):
            with pytest.raises(ValueError, match="not in the signed trail"):
                offline_verifier.check_proof(wrong, note, KEY.public)


def test_what_cannot_be_proven_is_refused(database, leaves):
    """A leaf beyond the tree and a tree that would have to shrink are errors, not wrong proofs."""
    for statement in (
        "SELECT audit.inclusion_proof(5, 0, 5)",
        "SELECT audit.inclusion_proof(-1, 0, 5)",
        "SELECT audit.consistency_proof(6, 0, 5)",
        "SELECT audit.consistency_proof(0, 0, 5)",
    ):
        with pytest.raises(StoreError, match=r"is not in a tree|cannot grow"), database.transaction() as connection:
            connection.exec_driver_sql(statement)


def test_an_event_is_one_line(database):
    """Raw control characters, which would break an export's lines, are refused; escaped ones are text."""
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "INSERT INTO audit.event (body) VALUES (%s)", (body("x.y", "a\tb\nc", {}, config_digest=""),)
        )
    broken = body("x.y", "s", {}, config_digest="").replace('{"', '{\n"', 1)
    with pytest.raises(StoreError, match="body_is_one_line"), database.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO audit.event (body) VALUES (%s)", (broken,))
