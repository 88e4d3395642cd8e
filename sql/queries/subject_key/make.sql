-- Makes the key of a subject; the first one made stays.
INSERT INTO llmmon.subject_key (user_ref, wrapped_key)
VALUES (%(user_ref)s, %(wrapped_key)s)
ON CONFLICT ON CONSTRAINT one_key_per_subject DO NOTHING
