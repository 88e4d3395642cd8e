"""Index a team's reference texts, so that answers can be verified against them."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

from llmmon.audit.event import body
from llmmon.config import Config, FactsConfig
from llmmon.encoder import static_encoder
from llmmon.errors import ConfigError
from llmmon.pipeline.fact_documents import FactDocument, fact_documents
from llmmon.scorers.text import sentences, words
from llmmon.store import audit
from llmmon.store.database import Database
from llmmon.store.fact_passage import Passage, add_passages, indexed_documents, lock_facts, remove_documents

log = logging.getLogger(__name__)

_CUT: Final = 1
"""Raised when passages are cut otherwise, so that all are cut anew."""


@dataclass(frozen=True, kw_only=True)
class IndexedFacts:
    """What indexing did.

    Parameters
    ----------
    n_documents, n_passages : int
        Indexed now.
    n_new, n_changed, n_removed, n_same : int
        Documents that were not there, that say something else than before, that are gone, and all others.
    """

    n_documents: int
    n_passages: int
    n_new: int
    n_changed: int
    n_removed: int
    n_same: int


def index_facts(database: Database, config: Config, facts: str) -> IndexedFacts:
    """Bring the index of `facts` up to date with its texts, all in one transaction.

    A document that says what it said is not touched. Run again, nothing changes and no audit event is written.

    Raises
    ------
    ConfigError
        When `facts` is not configured.
    SourceUnavailableError
        When a text cannot be read; the index stays as it was.
    """
    settings = config.facts.get(facts)
    if settings is None:
        raise ConfigError(f"facts: no {facts!r} is defined; there are: {', '.join(sorted(config.facts)) or 'none'}")
    encoder = static_encoder()
    made = json.dumps([_CUT, encoder.version, settings.language, settings.passage_words]).encode()
    with database.transaction() as connection:
        lock_facts(connection, facts)
        before = indexed_documents(connection, facts)
        counts = {"new": 0, "changed": 0, "same": 0}
        n_passages = 0
        gone = set(before)
        for document in fact_documents(settings, facts=facts):
            gone.discard(document.name)
            digest = hashlib.sha256(made + document.content.encode("utf-8", "surrogatepass")).digest()
            known, n_known = before.get(document.name, (b"", 0))
            if known == digest:
                counts["same"] += 1
                n_passages += n_known
                continue
            passages = list(cut_passages(document, settings))
            if not passages:
                log.warning("facts %s: %s has no words", facts, document.name)
            remove_documents(connection, facts, [document.name])
            vectors = encoder.encode([passage.content for passage in passages])
            add_passages(connection, facts, passages, vectors, digest=digest, language=settings.language)
            counts["changed" if known else "new"] += 1
            n_passages += len(passages)
        remove_documents(connection, facts, sorted(gone))
        result = IndexedFacts(
            n_documents=sum(counts.values()),
            n_passages=n_passages,
            n_new=counts["new"],
            n_changed=counts["changed"],
            n_removed=len(gone),
            n_same=counts["same"],
        )
        if counts["new"] or counts["changed"] or gone:
            audit.append(
                connection, body("facts.indexed", f"facts {facts}", asdict(result), config_digest=config.digest)
            )
    return result


def cut_passages(document: FactDocument, settings: FactsConfig) -> Iterator[Passage]:
    """Yield stretches of whole sentences of about ``passage_words`` words.

    Each begins with the last sentence of the one before, so that what two neighbours say together stands in one. A
    longer sentence is a passage of its own.
    """
    found = [
        (match.start(), match.end(), sum(1 for _ in words(match.group()))) for match in sentences(document.content)
    ]
    found = [sentence for sentence in found if sentence[2]]
    first = 0
    while first < len(found):
        last, n = first, found[first][2]
        while last + 1 < len(found) and n + found[last + 1][2] <= settings.passage_words:
            last += 1
            n += found[last][2]
        start, end = found[first][0], found[last][1]
        yield Passage(document=document.name, start=start, end=end, content=document.content[start:end])
        if last + 1 == len(found):
            return
        # one sentence again, unless the passage is that sentence or could then take no new one
        again = last > first and found[last][2] + found[last + 1][2] <= settings.passage_words
        first = last if again else last + 1
