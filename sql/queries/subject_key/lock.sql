-- Keeps subjects from being erased while rows of theirs are loaded, and the other way round; goes with the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('llmmon.subject_key', 0))
