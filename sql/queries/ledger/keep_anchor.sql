-- Notes that a channel took a signed head.
INSERT INTO audit.anchor (size, channel, checkpoint, receipt)
VALUES (%(size)s, %(channel)s, %(checkpoint)s, %(receipt)s)
