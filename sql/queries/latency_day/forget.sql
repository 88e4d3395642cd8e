-- Removes the roll-up of one day, to be written anew: a segment may have vanished.
DELETE FROM llmmon.latency_day
 WHERE deployment = %(deployment)s
   AND day = %(day)s
