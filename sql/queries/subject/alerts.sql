-- The alerts that name some requests.
SELECT alert_id, request_keys
  FROM llmmon.alert
 WHERE request_keys && %(request_keys)s::bigint[]
 ORDER BY alert_id
