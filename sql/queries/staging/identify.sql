-- Numbers the staged requests that are not known yet.
INSERT INTO llmmon.request_identity (source, request_id, occurred_at)
SELECT %(source)s, request_id, occurred_at
  FROM llmmon_staging
ON CONFLICT ON CONSTRAINT one_request_per_source_and_id DO NOTHING
RETURNING request_key, request_id
