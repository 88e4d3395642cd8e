-- Makes the day partition of one day, if it is not there.
SELECT llmmon.ensure_day_partition(%(day)s)
