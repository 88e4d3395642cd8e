-- The content of the report of one window.
SELECT snapshot
  FROM llmmon.report
 WHERE deployment = %(deployment)s
   AND window_start = %(start)s
   AND renderer = %(renderer)s
