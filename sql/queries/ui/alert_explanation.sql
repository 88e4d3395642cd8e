-- The newest explanation of an alert; no row while there is none.
SELECT explanation_id, cause, statement, n_more, request_keys, detail, explained_at
  FROM llmmon.alert_explanation
 WHERE alert_id = %(alert_id)s
 ORDER BY explanation_id DESC
 LIMIT 1;
