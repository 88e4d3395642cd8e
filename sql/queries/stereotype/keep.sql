-- Writes the figures of one probe, run now.
INSERT INTO llmmon.stereotype_figure (deployment, probe, probed_at, place, category, figure, unit, neutral, value, low,
                                      high, n, reason, detail, provenance_id)
SELECT %(deployment)s, %(probe)s, now(), row.place, row.category, row.figure, row.unit, row.neutral, row.value, row.low,
       row.high, row.n, row.reason, row.detail, %(provenance_id)s
  FROM jsonb_to_recordset(%(figures)s::jsonb)
    AS row (place integer, category text, figure text, unit text, neutral double precision, value double precision,
            low double precision, high double precision, n integer, reason text, detail jsonb)
