"""Training of the models that ship with llmmon; needs the extras ``models`` and ``gpu``."""
