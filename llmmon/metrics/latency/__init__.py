"""How fast, how reliable and how much: what production and replays measured."""
