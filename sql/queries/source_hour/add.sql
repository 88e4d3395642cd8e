-- Adds the new requests of a batch to the hours that they are of.
INSERT INTO llmmon.source_hour (source, hour, n_requests)
SELECT %(source)s, unnest(%(hours)s::timestamptz[]), unnest(%(counts)s::bigint[])
ON CONFLICT (source, hour) DO UPDATE
   SET n_requests = source_hour.n_requests + excluded.n_requests
