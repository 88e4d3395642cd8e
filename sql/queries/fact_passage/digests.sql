-- The documents of some facts that are indexed, with what they were indexed from.
SELECT document, digest, count(*) AS n_passages
  FROM llmmon.fact_passage
 WHERE facts = %(facts)s
 GROUP BY document, digest
 ORDER BY document
