"""How far this window is from the reference windows."""
