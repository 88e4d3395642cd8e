-- Keeps one drawn item.
INSERT INTO llmmon.review_item (purpose, deployment, scorer, window_start, window_end, request_key, occurred_at, score,
                                probability, stratum, seed, provenance_id)
VALUES ('calibration', %(deployment)s, %(scorer)s, %(start)s, %(end)s, %(request_key)s, %(occurred_at)s, %(score)s,
        %(probability)s, %(stratum)s, %(seed)s, %(provenance_id)s)
ON CONFLICT ON CONSTRAINT a_response_is_drawn_once_for_a_scorer DO NOTHING
