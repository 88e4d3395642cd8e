-- Drops the compliance views whose file is gone.
SELECT compliance.drop_views_except(%(names)s::text[])
