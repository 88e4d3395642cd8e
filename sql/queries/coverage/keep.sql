-- Writes one line of the account: so many requests of this window are in this state at this stage.
INSERT INTO llmmon.coverage (deployment, window_start, window_end, stage, state, reason, n, probability)
VALUES (%(deployment)s, %(start)s, %(end)s, %(stage)s, %(state)s, %(reason)s, %(n)s, %(probability)s)
