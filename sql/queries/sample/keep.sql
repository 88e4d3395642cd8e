-- Keep one drawn request; drawn again after late rows, its stratum and probability follow the new draw.
INSERT INTO llmmon.sample (request_key, deployment, window_start, window_end, stratum, probability, seed)
VALUES (%(request_key)s, %(deployment)s, %(window_start)s, %(window_end)s, %(stratum)s, %(probability)s, %(seed)s)
ON CONFLICT (deployment, window_start, request_key) DO UPDATE
   SET stratum = EXCLUDED.stratum, probability = EXCLUDED.probability
