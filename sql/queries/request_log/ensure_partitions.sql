-- Makes the day partitions of some days, where they are missing.
SELECT llmmon.ensure_day_partition(day) FROM unnest(%(days)s::date[]) AS day
