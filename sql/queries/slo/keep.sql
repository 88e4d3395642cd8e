-- Writes the objectives of a deployment, given as a JSON list, in place of those that were in force.
WITH given AS (
  SELECT *
    FROM jsonb_to_recordset(%(slos)s::jsonb)
      AS (slo text, objective double precision, days integer, segment text, field text, limit_ms double precision,
          fails_count boolean, description text)
), gone AS (
  DELETE FROM llmmon.slo
   WHERE deployment = %(deployment)s
     AND slo NOT IN (SELECT slo FROM given)
)
INSERT INTO llmmon.slo (deployment, slo, objective, days, segment, field, limit_ms, fails_count, description, config_digest)
SELECT %(deployment)s, slo, objective, days, segment, field, limit_ms, fails_count, description, %(config_digest)s
  FROM given
    ON CONFLICT (deployment, slo) DO UPDATE
   SET objective = excluded.objective, days = excluded.days, segment = excluded.segment, field = excluded.field,
       limit_ms = excluded.limit_ms, fails_count = excluded.fails_count, description = excluded.description,
       config_digest = excluded.config_digest
