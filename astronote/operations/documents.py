"""Documents that are written from the code: variables, queues, commands and `.env.example`.

`manage.py generate_docs` writes and checks them. Texts come from where they are declared.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core.management import BaseCommand, get_commands, load_command_class

from astronote import environment_variables
from astronote.queues import catalogue

GENERATED = "<!-- Written by `manage.py generate_docs`. Change the code, not this file. -->"
# What an option means in every command that does not say it.
COMMON_MEANINGS = {"json": "print the answer as JSON"}
# Options that Django gives every command.
COMMON_OPTIONS = {
    "help",
    "version",
    "verbosity",
    "settings",
    "pythonpath",
    "traceback",
    "no_color",
    "force_color",
    "skip_checks",
}


def generated_text_by_path() -> dict[Path, str]:
    """The text of each generated document, by its path within the project."""
    return {
        Path("docs/configuration.md"): configuration_page(),
        Path("docs/commands.md"): commands_page(),
        Path(".env.example"): environment_variables.build_env_example(),
    }


def outdated_documents(root: Path) -> list[Path]:
    """The generated documents under `root` that are missing or differ from the code."""
    return [
        path
        for path, text in generated_text_by_path().items()
        if not _file_content_equals(root / path, text)
    ]


def _file_content_equals(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def write_outdated_documents(root: Path) -> list[Path]:
    """Write the documents that are out of date; return their paths."""
    changed = outdated_documents(root)
    for path in changed:
        (root / path).write_text(generated_text_by_path()[path], encoding="utf-8")
    return changed


def configuration_page() -> str:
    """Every variable and every queue."""
    return f"""# Configuration

{GENERATED}

Every setting that differs between installations is an environment variable. A `.env` file in the
project's folder or its two parents fills in what the environment leaves out; the nearest file comes
first. Begin with a copy of [`.env.example`](../.env.example). Missing, malformed and weak values
stop the start with a list that names all of them.

"Embedded" is the default while `DATABASE_URL` is empty.

## Variables

{environment_variables.variables_markdown_table()}

## Queues

{catalogue.queues_markdown_table()}
"""


def commands_page() -> str:
    """Every command with its arguments."""
    commands = list(_iter_documented_commands())
    index = "\n".join(
        f"| [`{name}`](#{name}) | {_escape_table_cell(command.help)} |"
        for name, command in commands
    )
    sections = "\n".join(_command_section(name, command) for name, command in commands)
    return f"""# Commands

{GENERATED}

Run a command as `.venv/bin/python manage.py NAME`. Each has `--help`, and Django's own options.

| Command | What it does |
|---|---|
{index}

{sections}"""


def _iter_documented_commands() -> Iterator[tuple[str, BaseCommand]]:
    """The project's own commands by name."""
    for name, source in sorted(get_commands().items()):
        if source in settings.PROJECT_APPS:
            yield name, load_command_class(source, name)


def _command_section(name: str, command: BaseCommand) -> str:
    actions = [
        action
        for action in command.create_parser("manage.py", name)._actions
        if action.dest not in COMMON_OPTIONS and action.help != argparse.SUPPRESS
    ]
    positional_first = sorted(actions, key=lambda action: bool(action.option_strings))
    usage = " ".join(
        [f"manage.py {name}", *map(_argument_usage_bracketed_if_optional, positional_first)]
    )
    lines = [
        f"## {name}",
        "",
        " ".join(str(command.help).split()),
        "",
        "```",
        *_wrap_usage(usage),
        "```",
        "",
    ]
    if actions:
        lines += ["| Argument | Meaning |", "|---|---|"]
        lines += map(_argument_table_row, positional_first)
        lines.append("")
    return "\n".join(lines)


def _argument_table_row(action: argparse.Action) -> str:
    names, meaning = _argument_names_as_markdown_code(action), _argument_meaning(action)
    return f"| {names} | {_escape_table_cell(meaning)} |"


def _argument_usage_bracketed_if_optional(action: argparse.Action) -> str:
    value = _value_placeholder_or_empty_for_switch(action)
    if not action.option_strings:
        return {"?": f"[{value}]", "*": f"[{value} …]"}.get(str(action.nargs), value)
    option = f"{_longest_spelling_of_option(action)} {value}".strip()
    more = " …" if isinstance(action, argparse._AppendAction) else ""
    return option + more if action.required else f"[{option}]{more}"


def _longest_spelling_of_option(action: argparse.Action) -> str:
    """The longest name of an option."""
    return max(action.option_strings, key=len)


def _value_placeholder_or_empty_for_switch(action: argparse.Action) -> str:
    """What stands for an argument's value; nothing for a switch."""
    if action.nargs == 0:
        return ""
    return str(action.metavar or action.dest.upper())


def _argument_names_as_markdown_code(action: argparse.Action) -> str:
    names = action.option_strings or [_value_placeholder_or_empty_for_switch(action)]
    return ", ".join(f"`{name}`" for name in sorted(names, key=len, reverse=True))


def _argument_meaning(action: argparse.Action) -> str:
    # Defaults are left out: some come from the environment of the machine.
    text = action.help or COMMON_MEANINGS.get(action.dest, "")
    parts = [text % {"default": action.default, "prog": "manage.py"}]
    if action.choices is not None:
        parts.append("one of " + ", ".join(f"`{choice}`" for choice in action.choices))
    if isinstance(action, argparse._AppendAction):
        parts.append("may be repeated")
    if action.option_strings and action.required:
        parts.append("required")
    return "; ".join(part for part in parts if part)


def _wrap_usage(usage: str, width: int = 96) -> Iterator[str]:
    """The usage in lines; a bracket is not broken if it fits a line."""
    line = ""
    for word in usage.replace("] [", "]\n[").split("\n"):
        if line and len(line) + 1 + len(word) > width:
            yield line
            line = "    " + word
        else:
            line = f"{line} {word}" if line else word
    yield line


def _escape_table_cell(text: str) -> str:
    """A text as a cell of a table."""
    return " ".join(text.split()).replace("|", r"\|")
