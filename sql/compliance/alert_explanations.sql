-- Alert explanations: what each alert's change was attributed to, with which evidence, from how many replays, and how that
-- was computed. A cause is NULL while the replays could not tell it. A later explanation that differs is a row of its own.
-- Duties: AI Act Art. 12(2) (situations that may result in a risk), 13(3) (interpretation of output), 26(5);
-- NIST AI RMF MEASURE 2.9 and MANAGE 4.1.
SELECT told.alert_id,
       told.explanation_id,
       alert.deployment,
       alert.monitor,
       alert.segment,
       alert.window_start,
       told.explained_at,
       told.cause,
       told.statement,
       told.n_more                                                                  AS n_more_replays_needed,
       (told.detail #>> '{attribution,n_reference}')::bigint                        AS n_replays_before,
       (told.detail #>> '{attribution,n_current}')::bigint                          AS n_replays_now,
       share.by_cause                                                               AS shares,
       told.detail #> '{segments,carriers}'                                         AS segments,
       cardinality(told.request_keys)                                               AS n_requests_shown,
       how.plugin                                                                   AS method,
       how.parameters,
       how.code_version,
       how.config_digest,
       told.explanation_id = max(told.explanation_id) OVER (PARTITION BY told.alert_id) AS is_newest
  FROM llmmon.alert_explanation AS told
  JOIN llmmon.alert AS alert USING (alert_id)
  JOIN llmmon.provenance AS how ON how.provenance_id = told.provenance_id
 CROSS JOIN LATERAL (
    SELECT jsonb_object_agg(item ->> 'cause', item - 'cause') AS by_cause
      FROM jsonb_path_query(told.detail, '$.attribution.shares[*]') AS item) AS share
 ORDER BY told.alert_id, told.explanation_id
