-- Ledger status: how many audit events are sealed, wait, or are lost to the ledger, and which signed head was sent last
-- to each channel. A ledger is as good as the heads that others hold: `llmmon audit verify` compares with those.
-- Duties: AI Act Art. 12 and 19 (logs that can be relied on); SOC 2 CC7.2; ISO 27001 A.8.15 (protection of logs).
SELECT events.n_events,
       events.n_sealed,
       events.n_waiting,
       events.n_unaccounted,
       to_timestamp(events.oldest_waiting_us / 1e6)     AS oldest_waiting_at,
       to_timestamp(events.newest_us / 1e6)             AS newest_event_at,
       sealed.size                                      AS sealed_size,
       sealed.sealed_at,
       sealed.root = audit.tree_hash(0, sealed.size)    AS seal_holds,
       anchor.channel,
       anchor.size                                      AS anchored_size,
       anchor.anchored_at,
       sealed.size - anchor.size                        AS n_not_anchored
  FROM (SELECT count(*)                                                                      AS n_events,
               count(leaf.event_id)                                                          AS n_sealed,
               count(*) FILTER (WHERE leaf.event_id IS NULL AND pending.event_id IS NOT NULL) AS n_waiting,
               count(*) FILTER (WHERE leaf.event_id IS NULL AND pending.event_id IS NULL)     AS n_unaccounted,
               min(recorded_us) FILTER (WHERE leaf.event_id IS NULL)                         AS oldest_waiting_us,
               max(recorded_us)                                                              AS newest_us
          FROM audit.event
          LEFT JOIN audit.leaf USING (event_id)
          LEFT JOIN audit.pending USING (event_id)) AS events
  LEFT JOIN (SELECT size, root, sealed_at FROM audit.seal ORDER BY size DESC LIMIT 1) AS sealed ON true
  LEFT JOIN (SELECT DISTINCT ON (channel) channel, size, anchored_at
               FROM audit.anchor ORDER BY channel, anchor_id DESC) AS anchor ON true
 ORDER BY anchor.channel
