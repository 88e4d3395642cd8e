"""A sentence encoder that ships with llmmon: texts as vectors on CPU, without torch and without a download."""

from llmmon.encoder.static import StaticEncoder, TokenVectors, static_encoder, tokenizable

__all__ = ["StaticEncoder", "TokenVectors", "static_encoder", "tokenizable"]
