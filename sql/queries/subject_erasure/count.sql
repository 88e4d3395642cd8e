-- How many rows hold texts that one key sealed.
SELECT (SELECT count(*) FROM llmmon.request_payload WHERE key_id = %(key_id)s) AS n_requests,
       (SELECT count(*) FROM llmmon.response WHERE key_id = %(key_id)s)        AS n_responses,
       (SELECT count(*) FROM llmmon.score WHERE key_id = %(key_id)s)           AS n_scores
