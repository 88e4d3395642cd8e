-- How far the audit trail is sealed, and the signed head that each channel took last; one row where none was sent.
SELECT seal.size, seal.sealed_at, anchor.channel, anchor.size AS anchored_size, anchor.anchored_at
  FROM (SELECT size, sealed_at FROM audit.seal ORDER BY size DESC LIMIT 1) AS seal
  LEFT JOIN (SELECT DISTINCT ON (channel) channel, size, anchored_at
               FROM audit.anchor ORDER BY channel, anchor_id DESC) AS anchor ON true
 ORDER BY anchor.channel;
