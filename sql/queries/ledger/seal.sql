-- Seals waiting events and returns how many; null when another sealer is at work.
SELECT audit.seal(%(max_events)s) AS n
