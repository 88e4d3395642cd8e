-- How far a deployment is judged, which changes were seen, and by which rules.
SELECT first_start, judged_until, measurement_change_id, stage_change_id, rules
  FROM llmmon.detection
 WHERE deployment = %(deployment)s
