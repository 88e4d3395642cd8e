"""The demo: real logs, a small model and the script that made each."""
