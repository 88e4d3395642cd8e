"""What the groundedness scorer computes: words, their support in a context, and a small network over both."""
