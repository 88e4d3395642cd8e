-- Model and configuration changes: which model names production logged and which revisions were replayed, from when to
-- when; and each stretch of time under one configuration and one code version. Duties: AI Act Annex IV (changes through the
-- life cycle), Art. 73(6) (do not alter the system before informing); SOC 2 CC8.1; ISO/IEC 42001 A.6.2.6.
WITH trail AS (
  SELECT event_id, recorded_at, config_digest, code_version,
         count(*) FILTER (WHERE config_changed) OVER (ORDER BY event_id) AS config_run,
         count(*) FILTER (WHERE code_changed) OVER (ORDER BY event_id)   AS code_run
    FROM (SELECT event_id, recorded_at, config_digest, code_version,
                 config_digest IS DISTINCT FROM lag(config_digest) OVER (ORDER BY event_id) AS config_changed,
                 code_version IS DISTINCT FROM lag(code_version) OVER (ORDER BY event_id)   AS code_changed
            FROM audit.trail) AS compared
)
SELECT 'served model as logged'                                       AS kind,
       deployment,
       concat_ws(' ', model, model_version)                           AS value,
       min(occurred_at)                                               AS first_at,
       max(occurred_at)                                               AS last_at,
       count(*)                                                       AS n,
       'requests'                                                     AS counted
  FROM llmmon.request_log
 GROUP BY deployment, model, model_version
UNION ALL
SELECT 'replayed model', r.deployment,
       concat_ws(' ', r.lane || ':', p.parameters ->> 'model', p.model_revision),
       min(r.responded_at), max(r.responded_at), count(*), 'replays'
  FROM llmmon.response AS r
  JOIN llmmon.provenance AS p USING (provenance_id)
 GROUP BY r.deployment, r.lane, p.parameters ->> 'model', p.model_revision
UNION ALL
SELECT 'configuration', NULL, config_digest, min(recorded_at), max(recorded_at), count(*), 'audit events'
  FROM trail
 GROUP BY config_run, config_digest
UNION ALL
SELECT 'code', NULL, code_version, min(recorded_at), max(recorded_at), count(*), 'audit events'
  FROM trail
 GROUP BY code_run, code_version
 ORDER BY kind, deployment, first_at, value
