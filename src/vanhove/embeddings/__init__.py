"""Atom embeddings learned from crystals: what trains them, and ``vanhove embed``."""

from vanhove.embeddings.embedding import EmbedResult, embed
from vanhove.embeddings.settings import KINDS, EmbeddingSettings

__all__ = ["KINDS", "EmbedResult", "EmbeddingSettings", "embed"]
