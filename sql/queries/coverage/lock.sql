-- Keeps rows of this deployment from being loaded while an account of it is closed; goes with the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('llmmon.account:' || %(deployment)s, 0))
