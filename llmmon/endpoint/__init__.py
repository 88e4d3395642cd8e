"""What replays and judges share about an OpenAI-compatible endpoint: its address, its key, failed attempts, pauses."""
