"""Why a file cannot be imported, and what a person can answer (rules.md#import)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Question(NamedTuple):
    """What a person must answer before a file can be imported.

    Args:
        text: what is unclear and what to say about it. The admin's page has the answers in boxes.
        options: the options of the command that answer it.
        position: that of the column it is about, if it is about one.
    """

    text: str
    options: str
    position: int | None = None

    def command_line_text(self) -> str:
        """The question with the options that answer it."""
        return f"{self.text}: {self.options}"


class ImportRefused(Exception):
    """The file as a whole cannot be used; the message says why and what to do.

    `questions` are what a person can answer to import it all the same, if anything.
    """

    def __init__(self, why: str | Question | Sequence[Question]) -> None:
        if isinstance(why, Question):
            why = [why]
        self.questions = () if isinstance(why, str) else tuple(why)
        super().__init__(". ".join(question.text for question in self.questions) or why)

    def command_line_text(self) -> str:
        """The message for a person at the command line, with each question on a line."""
        lines = [question.command_line_text() for question in self.questions]
        return "\n".join(lines) or str(self)
