"""Why a file cannot be imported, and what a person can answer (rules.md#import)."""

from __future__ import annotations

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

    `question` is what a person can answer to import it all the same, if anything.
    """

    def __init__(self, why: str | Question) -> None:
        super().__init__(why.text if isinstance(why, Question) else why)
        self.question = why if isinstance(why, Question) else None

    def command_line_text(self) -> str:
        """The message for a person at the command line."""
        return self.question.command_line_text() if self.question else str(self)
