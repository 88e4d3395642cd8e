-- Writes one measurement: nothing when the newest version says the same, in place of a provisional one, else as the next version.
WITH latest AS (
  SELECT measurement_id, version, value, low, high, n, unit, reason, detail
    FROM llmmon.measurement
   WHERE deployment = %(deployment)s AND monitor = %(monitor)s AND segment = %(segment)s AND window_start = %(start)s
   ORDER BY version DESC
   LIMIT 1
), settled AS (
  SELECT measurement_id
    FROM latest
   WHERE (value, low, high, n, unit, reason, detail) IS NOT DISTINCT FROM
         (%(value)s::double precision, %(low)s::double precision, %(high)s::double precision, %(n)s::bigint,
          %(unit)s::text, %(reason)s::text, %(detail)s::jsonb)
      OR (%(detail)s::jsonb -> 'provisional' IS NOT NULL AND detail -> 'provisional' IS NULL)
), completed AS (
  UPDATE llmmon.measurement AS provisional
     SET value = %(value)s, low = %(low)s, high = %(high)s, n = %(n)s, unit = %(unit)s, reason = %(reason)s,
         detail = %(detail)s, provenance_id = %(provenance_id)s, reference_summary_id = %(reference_summary_id)s,
         measured_at = clock_timestamp(), change_id = DEFAULT
    FROM latest
   WHERE provisional.measurement_id = latest.measurement_id
     AND latest.detail -> 'provisional' IS NOT NULL
     AND NOT EXISTS (SELECT FROM settled)
  RETURNING provisional.measurement_id
), added AS (
  INSERT INTO llmmon.measurement (deployment, monitor, segment, window_start, window_end, version, value, low, high, n,
                                  unit, reason, detail, provenance_id, reference_summary_id)
  SELECT %(deployment)s, %(monitor)s, %(segment)s, %(start)s, %(end)s, coalesce((SELECT version FROM latest), 0) + 1,
         %(value)s, %(low)s, %(high)s, %(n)s, %(unit)s, %(reason)s, %(detail)s, %(provenance_id)s,
         %(reference_summary_id)s
   WHERE NOT EXISTS (SELECT FROM settled)
     AND NOT EXISTS (SELECT FROM latest WHERE detail -> 'provisional' IS NOT NULL)
  RETURNING measurement_id
)
SELECT (SELECT count(*) FROM added)::integer AS n_added, (SELECT count(*) FROM completed)::integer AS n_completed
