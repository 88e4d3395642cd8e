-- Moves the staged requests that are not known yet into request_log, and marks the finished windows they fall in dirty.
WITH identity AS (
  INSERT INTO llmmon.request_identity (source, request_id, occurred_at)
  SELECT source, request_id, occurred_at
    FROM llmmon_staging
   ORDER BY ordinal
  ON CONFLICT ON CONSTRAINT one_request_per_source_and_id DO NOTHING
  RETURNING request_key, request_id
), loaded AS (
  INSERT INTO llmmon.request_log (
    request_key, batch_id, source, request_id, occurred_at, deployment, model, model_version, route, tenant, language,
    user_ref, conversation_id, status, error_type, finish_reason, messages, documents, parameters, response_text,
    reference_answer, n_input_tokens, n_output_tokens, ttft_ms, latency_ms, cost_usd, feedback, groups, tags, cleaned,
    digest
  )
  SELECT identity.request_key, %(batch_id)s, staged.source, staged.request_id, staged.occurred_at, staged.deployment,
         staged.model, staged.model_version, staged.route, staged.tenant, staged.language, staged.user_ref,
         staged.conversation_id, staged.status, staged.error_type, staged.finish_reason, staged.messages,
         staged.documents, staged.parameters, staged.response_text, staged.reference_answer, staged.n_input_tokens,
         staged.n_output_tokens, staged.ttft_ms, staged.latency_ms, staged.cost_usd, staged.feedback, staged.groups,
         staged.tags, staged.cleaned, staged.digest
    FROM identity
    JOIN llmmon_staging AS staged USING (request_id)
  RETURNING deployment, occurred_at
), late AS (
  UPDATE llmmon.window_stage AS stage
     SET state = 'dirty',
         reason = 'requests came late'
    FROM (SELECT deployment, min(occurred_at) AS first_at, max(occurred_at) AS last_at FROM loaded GROUP BY 1) AS span
   WHERE stage.deployment = span.deployment
     AND stage.window_start <= span.last_at
     AND stage.window_end > span.first_at
     AND stage.state IN ('done', 'expired')
     AND EXISTS (
           SELECT FROM loaded
            WHERE loaded.deployment = stage.deployment
              AND loaded.occurred_at >= stage.window_start
              AND loaded.occurred_at < stage.window_end)
  RETURNING stage.deployment, stage.window_start
)
SELECT (SELECT count(*) FROM loaded) AS n_new,
       (SELECT count(DISTINCT (deployment, window_start)) FROM late) AS n_dirty
