"""How differently groups fare."""
