-- Writes how far a deployment is judged, which changes were seen, and by which rules.
INSERT INTO llmmon.detection (deployment, first_start, judged_until, measurement_change_id, stage_change_id, rules)
VALUES (%(deployment)s, %(first_start)s, %(judged_until)s, %(measurement_change_id)s, %(stage_change_id)s, %(rules)s)
ON CONFLICT (deployment) DO UPDATE
   SET first_start = excluded.first_start, judged_until = excluded.judged_until,
       measurement_change_id = excluded.measurement_change_id, stage_change_id = excluded.stage_change_id,
       rules = excluded.rules
