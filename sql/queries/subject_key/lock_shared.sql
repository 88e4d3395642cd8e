-- Keeps subjects from being erased while rows of theirs are loaded; loaders do not exclude each other.
SELECT pg_advisory_xact_lock_shared(hashtextextended('llmmon.subject_key', 0))
