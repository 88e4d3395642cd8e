-- Writes the explanation of an alert, unless the newest one says the same; returns its number.
WITH newest AS (
  SELECT cause, statement, n_more, request_keys, detail
    FROM llmmon.alert_explanation
   WHERE alert_id = %(alert_id)s
   ORDER BY explanation_id DESC
   LIMIT 1
)
INSERT INTO llmmon.alert_explanation (alert_id, cause, statement, n_more, request_keys, detail, provenance_id)
SELECT %(alert_id)s, %(cause)s, %(statement)s, %(n_more)s, %(request_keys)s::bigint[], %(detail)s::jsonb,
       %(provenance_id)s
 WHERE NOT EXISTS (SELECT FROM newest
                    WHERE (cause, statement, n_more, request_keys, detail) IS NOT DISTINCT FROM
                          (%(cause)s::text, %(statement)s::text, %(n_more)s::bigint, %(request_keys)s::bigint[],
                           %(detail)s::jsonb))
RETURNING explanation_id
