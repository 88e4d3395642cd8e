-- How many staged requests were known before with other content; what was logged first stays.
SELECT count(*) AS n
  FROM llmmon_staging AS staged
  JOIN llmmon.request_identity AS identity USING (source, request_id)
  JOIN llmmon.request_log AS known ON known.occurred_at = identity.occurred_at AND known.request_key = identity.request_key
 WHERE known.digest <> staged.digest
