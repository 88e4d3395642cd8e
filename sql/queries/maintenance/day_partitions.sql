-- The days that have a partition, before a day.
SELECT day
  FROM (SELECT to_date(substring(child.relname FROM '^request_log_(\d{8})$'), 'YYYYMMDD') AS day
          FROM pg_catalog.pg_inherits
          JOIN pg_catalog.pg_class AS child ON child.oid = inhrelid
         WHERE inhparent = 'llmmon.request_log'::regclass) AS partition
 WHERE day < %(before)s
 ORDER BY day
