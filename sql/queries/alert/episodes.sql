-- The alerts of a deployment: which episode of which stream has one, and after which window a stream learns again.
SELECT monitor, segment, dedupe_key, (detail ->> 'learn_again_after')::timestamptz AS learn_again_after
  FROM llmmon.alert
 WHERE deployment = %(deployment)s
 ORDER BY alert_id
