-- Bounds what one page may do: this transaction reads only and no statement of it runs longer than given.
SELECT set_config('transaction_read_only', 'on', true),
       set_config('statement_timeout', %(timeout_ms)s::text, true);
