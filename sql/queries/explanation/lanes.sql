-- The replay lanes of some windows: how they were run, and whether one and the same pinned model answered on them.
SELECT response.lane,
       min(provenance.plugin)                                                                    AS backend,
       count(DISTINCT provenance.model_revision) = 1 AND bool_and(provenance.model_revision IS NOT NULL) AS is_pinned,
       count(*)                                                                                  AS n
  FROM llmmon.response
  JOIN llmmon.provenance USING (provenance_id)
 WHERE response.deployment = %(deployment)s
   AND response.window_start = ANY (%(starts)s::timestamptz[])
   AND response.state = 'done'
 GROUP BY response.lane
 ORDER BY response.lane
