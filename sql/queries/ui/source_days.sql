-- The account of each source over the newest days on which it was read, newest first.
SELECT d.*
  FROM unnest(%(sources)s::text[]) AS s (source)
 CROSS JOIN LATERAL (
        SELECT *
          FROM compliance.traffic_accounted_for
         WHERE source = s.source
         ORDER BY day DESC
         LIMIT %(n_days)s) d
 ORDER BY d.source, d.day DESC;
