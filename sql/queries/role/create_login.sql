-- Makes a login that is a member of one group role; the password comes as a SCRAM verifier.
SELECT llmmon.create_login(%(name)s, %(verifier)s, %(member_of)s)
