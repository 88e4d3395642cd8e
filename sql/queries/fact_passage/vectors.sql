-- Every passage of some facts with its vector, and what all of them were indexed from.
SELECT fact_passage_id, embedding, digest
  FROM llmmon.fact_passage
 WHERE facts = %(facts)s
 ORDER BY fact_passage_id
