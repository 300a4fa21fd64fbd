"""Synthetic memes with their ground truth, drawn from a seed."""

from .compose import Meme, render

__all__ = ["Meme", "render"]
