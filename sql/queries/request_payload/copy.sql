-- Takes the texts of the new requests of one batch.
COPY llmmon.request_payload (request_key, occurred_at, key_id, content) FROM STDIN (FORMAT binary)
