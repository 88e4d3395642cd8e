-- Removes documents of some facts.
DELETE FROM llmmon.fact_passage
 WHERE facts = %(facts)s
   AND document = ANY (%(documents)s)
