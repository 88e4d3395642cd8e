-- The batch that brought a request.
SELECT log.batch_id
  FROM llmmon.request_identity
  JOIN llmmon.request_log log USING (request_key, occurred_at)
 WHERE request_identity.request_id = %(request_id)s
   AND (%(source)s::text IS NULL OR request_identity.source = %(source)s)
