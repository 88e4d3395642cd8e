-- How long ago the newest event was recorded, in seconds, and how long the oldest one has been waiting for the sealer.
SELECT extract(epoch FROM clock_timestamp()) - (SELECT recorded_us / 1e6 FROM audit.event ORDER BY event_id DESC LIMIT 1) AS silent_s,
       extract(epoch FROM clock_timestamp()) - (
         SELECT recorded_us / 1e6 FROM audit.event JOIN audit.pending USING (event_id) ORDER BY event_id LIMIT 1) AS waiting_s
