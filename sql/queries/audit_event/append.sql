-- Append one fact to the audit trail; its number and time are the database's own.
INSERT INTO audit.event (body) VALUES (%(body)s)
