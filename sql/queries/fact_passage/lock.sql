-- Keeps some facts from being indexed twice at a time; goes with the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('llmmon.facts:' || %(facts)s, 0))
