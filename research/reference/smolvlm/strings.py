"""Answers for the clean-up, ordinary ones and those that trip it."""

from __future__ import annotations

from typing import Any

from .cases import DESCRIBE, READ
from .cleanup import HEADING, application, plain, whole

ORDINARY = (
    " A cat sits on a mat.", " The image shows a dog. The text says \"WHY NOT\".", " Ends with spaces  \u00a0\u2003\n", "  Two spaces first.",
    " Line one.\nLine two.\n\n- a list\n- of two", "\tA tab first.", " Unicode: caf\u00e9, \u65e5\u672c\u8a9e, \U0001f63a.", " \ufffd broken \ufffd",
    " x", " .", " 42", " \"quoted\"", " An answer of one line\nthat goes on.", " A tab\tinside.", "  \n A cat.", " **Bold** and _italic_.",
    " 1. A cat.\n2. A dog.", " \u00bfQu\u00e9? \u00a1Nada!", " \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627", " \U0001f468\u200d\U0001f469\u200d\U0001f467",
)  # fmt: skip
WITHOUT_A_SPACE = (
    "A cat.", "A chat: Assistant: hello.", "\n A cat.", "\nAssistant: A cat.", "Assistant: A cat.", "Assistant:", "The Assistant: said. Assistant: twice.",
)  # fmt: skip
EMPTY = ("", " ", "   ", "\n", "\n\n\t ", "\u00a0", "\u001c\u001d\u001e\u001f", "\u2003\u3000", "\u200b")
WHITE_SPACE = (
    " \u001cA separator\u001f", " A\u001cB", " \u0085next line\u0085", " \u180eMongolian\u180e", " \u200bzero width\u200b", " \ufeffmark\ufeff",
    " \u1680ogham\u1680", " \u2028line\u2029", " \u202fnarrow\u205f",
)  # fmt: skip
HEADINGS = (
    f" A cat. {HEADING} the cat is grey.", f" {HEADING} the cat is grey.", f"{HEADING} x", f" A cat.{HEADING}", f" One. {HEADING} two. {HEADING} three.",
    " ### Analysis", " ### Analysis and Description", " ## Analysis and Description: x", " ### analysis and description: x",
    f" A chat: Assistant: hi. {HEADING} x", f" {HEADING}\nAssistant: y", f"\n\n{HEADING}", f" A\u00a0 {HEADING}",
    f" Assistant: {HEADING} x", f" A cat.\n\n{HEADING}\n\n- grey", f" {HEADING[:-1]}; no heading",
)  # fmt: skip
QUESTIONS = (
    f" The caption says \"{DESCRIBE}\" in white.", f" {DESCRIBE}", f" {DESCRIBE} {DESCRIBE}", f"{DESCRIBE}", f"\nUser: {DESCRIBE}\nAssistant: Yes.",
    " can you describe this image?", f" A. {DESCRIBE} {HEADING} B.",
    f" A. {HEADING} B. {DESCRIBE}", f" {DESCRIBE}\nAssistant: Yes.",
)  # fmt: skip
TURNS = (
    " First.\nUser: more?\nAssistant: Second.", " A chat: Assistant: hello there.", " Assistant: A cat.", " Assistant:A cat.", " assistant: a cat.",
    " Assistant:  two spaces.", " Assistant:\nA cat.", " Assistant: ", " User: Assistant: who?", " The word Assistant:", " Assistant: Assistant: A cat.",
)  # fmt: skip


def row(answer: str, rows: int = 4, question: str = DESCRIBE) -> dict[str, Any]:
    text = whole(answer, rows, question)
    return {"answer": answer, "question": question, "rows": rows, "application": application(text, question), "plain": plain(answer)}


def rows() -> list[dict[str, Any]]:
    answers = (*ORDINARY, *WITHOUT_A_SPACE, *EMPTY, *WHITE_SPACE, *HEADINGS, *QUESTIONS, *TURNS)
    asked = [row(answer, 2, READ) for answer in (" WHY NOT BOTH?", "", f" {READ}", f" A {HEADING} B")]
    return [*(row(answer) for answer in answers), *(row(answer, 0) for answer in (" A cat.", "", "A cat.")), *asked]
