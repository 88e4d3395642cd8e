-- What the ledger's own tables say against themselves: it takes no signed head to see, and a careful forger leaves none.
SELECT 'event ' || event_id || ' is neither sealed nor waits to be' AS doubt
  FROM audit.event
 WHERE NOT EXISTS (SELECT FROM audit.leaf WHERE leaf.event_id = event.event_id)
   AND NOT EXISTS (SELECT FROM audit.pending WHERE pending.event_id = event.event_id)
UNION ALL
SELECT 'node ' || n.lvl || '/' || n.idx || ' is not the hash of the two below it'
  FROM audit.node n
  LEFT JOIN audit.node l ON n.lvl > 1 AND l.lvl = n.lvl - 1 AND l.idx = 2 * n.idx
  LEFT JOIN audit.node r ON n.lvl > 1 AND r.lvl = n.lvl - 1 AND r.idx = 2 * n.idx + 1
  LEFT JOIN audit.leaf ll ON n.lvl = 1 AND ll.seq = 2 * n.idx
  LEFT JOIN audit.leaf rl ON n.lvl = 1 AND rl.seq = 2 * n.idx + 1
 WHERE n.hash IS DISTINCT FROM sha256('\x01'::bytea || coalesce(l.hash, ll.hash) || coalesce(r.hash, rl.hash))
 LIMIT 20
