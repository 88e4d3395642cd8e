-- Drops the partition of one day and says how many requests went with it.
SELECT llmmon.drop_day_partition(%(day)s) AS n_requests
