-- The number of a way of making numbers, found by the digest of all its fields.
SELECT provenance_id FROM llmmon.provenance WHERE digest = %(digest)s
