-- Keeps the rows of one batch that could not become request logs, byte for byte, with the reason.
COPY llmmon.quarantine (batch_id, source, file, byte_offset, code, reason, raw, raw_digest, sealed, user_ref) FROM STDIN
