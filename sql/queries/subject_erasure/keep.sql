-- Keeps that a subject was erased.
INSERT INTO llmmon.subject_erasure (user_ref, key_id, erased_by, because, n_requests, n_responses, n_scores, n_quarantined)
VALUES (%(user_ref)s, %(key_id)s, %(erased_by)s, %(because)s, %(n_requests)s, %(n_responses)s, %(n_scores)s,
        %(n_quarantined)s)
RETURNING erasure_id, erased_at
