-- Write down how a number is made; returns nothing when another process has just done so.
INSERT INTO llmmon.provenance (digest, kind, plugin, parameters, code_version, config_digest, model_revision, seed)
VALUES (%(digest)s, %(kind)s, %(plugin)s, %(parameters)s::jsonb, %(code_version)s, %(config_digest)s,
        %(model_revision)s, %(seed)s)
ON CONFLICT (digest) DO NOTHING
RETURNING provenance_id
