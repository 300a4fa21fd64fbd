"""What becomes of an answer: as the application does it, and as the gem does.

The application decodes prompt and answer together and cuts the question off again, so an answer that does not begin with
a space, or that has nothing in it, keeps "Assistant:" in front, or loses what comes before an "Assistant: " of its own. The
gem decodes only what was generated. Both agree on every other answer.
"""

from __future__ import annotations

from .cases import DESCRIBE

HEADING = "### Analysis and Description:"


def whole(answer: str, rows: int = 4, question: str = DESCRIBE) -> str:
    """All of the ids decoded without special tokens: a line end for each row, and one more."""
    return "User:" + "\n" * (rows + 1 if rows else 0) + question + "\nAssistant:" + answer


def application(text: str, question: str = DESCRIBE) -> str:
    if question in text:
        text = text.split(question, 1)[1].strip()
    if HEADING in text:
        text = text.split(HEADING, 1)[0].strip()
    if "Assistant: " in text:
        text = text.split("Assistant: ", 1)[1].strip()
    return text


def plain(answer: str) -> str:
    return answer.split(HEADING, 1)[0].strip()
