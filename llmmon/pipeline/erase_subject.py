"""Erase a subject: destroy the key of its texts, and tell the audit trail."""

from __future__ import annotations

from llmmon.audit.event import actor, body
from llmmon.config import Config
from llmmon.store import audit
from llmmon.store.database import Database
from llmmon.store.subject import Erasure, erase


def erase_subject(database: Database, config: Config, user_ref: str, *, because: str, by: str | None = None) -> Erasure:
    """Make every stored text of a subject unreadable, for good and in one transaction.

    Facts stay, under the subject's reference, so that digests and the roots of batches still verify.

    Parameters
    ----------
    database : Database
        Opened by a member of ``llmmon_eraser``.
    because : str
        Why, for the audit trail.
    by : str or None
        Who asked for it; None: who runs this.

    Raises
    ------
    UnknownSubjectError
        When nothing is kept of the subject, or it was erased before.
    """
    with database.transaction() as connection:
        erasure = erase(connection, user_ref, because=because, erased_by=by or actor())
        detail = {
            "erasure_id": erasure.erasure_id,
            "key_id": erasure.key_id,
            "because": because,
            "n_requests": erasure.n_requests,
            "n_responses": erasure.n_responses,
            "n_scores": erasure.n_scores,
            "n_quarantined": erasure.n_quarantined,
        }
        told = body("subject.erased", f"subject {user_ref}", detail, config_digest=config.digest, by=by)
        audit.append(connection, told)
    return erasure
