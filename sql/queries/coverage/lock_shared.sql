-- Keeps accounts of this deployment from being closed while rows of it are loaded; loaders do not exclude each other.
SELECT pg_advisory_xact_lock_shared(hashtextextended('llmmon.account:' || %(deployment)s, 0))
