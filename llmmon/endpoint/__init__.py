"""What replays and judges share about an OpenAI-compatible endpoint: its address, its key, and attempts that fail."""
