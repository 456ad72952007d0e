"""Mutants inside SQL text: predicates, comparisons, ORDER BY, DISTINCT and row locks.

The text is the Python source of one string literal, with its quotes, so that an offset in it is
an offset in the file. Literals in single quotes are not looked at: the formatter writes double
ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

STATEMENT = re.compile(r"\b(SELECT|UPDATE|INSERT|DELETE|WHERE)\b")
_TOKEN = re.compile(
    r"""(?P<comment>--[^\n"]*)
    | (?P<literal>'[^'"\n]*')
    | (?P<quote>[rfRF]*"(?:"")?)
    | (?P<value>%s|%\(\w+\)s|\{\{|\}\}|\{[^{}]*\})
    | (?P<word>[A-Za-z_][\w.]*)
    | (?P<operator>->>|->|::|@>|<@|<>|<=|>=|!=|=|<|>)
    | (?P<open>\()
    | (?P<close>\))
    | (?P<other>[^\s])""",
    re.VERBOSE,
)
_OPPOSITE = {"=": "<>", "<>": "=", "!=": "=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_CLAUSES = {
    "SELECT",
    "FROM",
    "WHERE",
    "ON",
    "HAVING",
    "SET",
    "VALUES",
    "RETURNING",
    "WHEN",
    "THEN",
    "ELSE",
    "UPDATE",
    "INSERT",
    "USING",
    "DO",
}
_CONDITIONS = {"WHERE", "ON", "HAVING", "WHEN"}
_ENDS_PREDICATE = {
    "AND",
    "OR",
    "ORDER",
    "GROUP",
    "LIMIT",
    "OFFSET",
    "FOR",
    "RETURNING",
    "HAVING",
    "WHERE",
    "FROM",
    "SET",
    "JOIN",
    "LEFT",
    "INNER",
    "CROSS",
    "UNION",
    "ON",
    "WINDOW",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
}
_ENDS_ORDER = {"LIMIT", "OFFSET", "FOR", "RETURNING", "UNION", "ROWS", "RANGE"}
_ROW_LOCK = re.compile(
    r"\bFOR\s+(?:NO\s+KEY\s+UPDATE|UPDATE|KEY\s+SHARE|SHARE)"
    r"(?:\s+OF\s+\w+(?:,\s*\w+)*)?(?:\s+(?:SKIP\s+LOCKED|NOWAIT))?"
)
_OF_A_STORE = re.compile(r"\bowner_id\s*(?:=|IN\b)|=\s*(?:\w+\.)?owner_id\b")


class Edit(NamedTuple):
    """A change of the text between two offsets."""

    kind: str
    start: int
    end: int
    text: str


class _Token(NamedTuple):
    type: str
    text: str
    start: int
    end: int
    clause: str = ""


def edits(text: str) -> Iterator[Edit]:
    """Every mutant of a string literal that holds SQL."""
    if not STATEMENT.search(text):
        return
    tokens = list(_tokens(text))
    for at, token in enumerate(tokens):
        before = tokens[at - 1] if at else token
        after = tokens[at + 1] if at + 1 < len(tokens) else token
        match token.type, token.text:
            case "operator", symbol if symbol in _OPPOSITE and token.clause in _CONDITIONS:
                yield Edit("predicate", token.start, token.end, _OPPOSITE[symbol])
            case "word", "NULL" if token.clause in _CONDITIONS and before.text == "IS":
                yield Edit("predicate", token.start, token.end, "NOT NULL")
            case "word", "NOT" if before.text == "IS" and after.text == "NULL":
                yield Edit("predicate", token.start, after.start, "")
            case "word", "AND" | "WHERE" if token.clause in _CONDITIONS:
                yield from _without_predicate(text, tokens, at)
            case "word", "ORDER":
                yield from _without_order(tokens, at)
            case "word", "DISTINCT" if after.text != "FROM":
                end = tokens[_matching(tokens, at + 2)].end if after.text == "ON" else token.end
                yield Edit("predicate", token.start, end, "")
    for match in _ROW_LOCK.finditer(text):
        yield Edit("lock", match.start(), match.end(), "")


def _tokens(text: str) -> Iterator[_Token]:
    """The words of the SQL, each with the clause that it stands in."""
    clauses, cases = [""], [0]
    for match in _TOKEN.finditer(text):
        type_, word = str(match.lastgroup), match.group()
        if type_ == "comment":
            continue
        if type_ == "open":
            clauses.append(clauses[-1])
        elif type_ == "close" and len(clauses) > 1:
            clauses.pop()
        elif type_ == "word" and word == "CASE":
            clauses.append(clauses[-1])
            cases.append(len(clauses))
        elif type_ == "word" and word == "END" and cases[-1] == len(clauses):
            clauses.pop()
            cases.pop()
        elif type_ == "word" and word in _CLAUSES:
            clauses[-1] = word
        yield _Token(type_, word, match.start(), match.end(), clauses[-1])


def _without_predicate(text: str, tokens: list[_Token], at: int) -> Iterator[Edit]:
    """Drop the predicate after this AND or WHERE; one with parameters is made always true."""
    if tokens[at].text == "AND" and _is_of_between(tokens, at):
        return
    end = _end_of(tokens, at + 1, _ENDS_PREDICATE)
    if end is None or end == at + 1:
        return
    following = tokens[end].text if end < len(tokens) else ""
    if following == "OR" or (tokens[at].text == "AND" and _is_after_or(tokens, at)):
        return
    start, stop = tokens[at + 1].start, tokens[end - 1].end
    predicate = text[start:stop]
    kind = "predicate"
    if _OF_A_STORE.search(predicate):
        kind = "store"
    elif "claim_token" in predicate:
        kind = "lock"
    if any(token.type == "value" for token in tokens[at + 1 : end]):
        yield Edit(kind, start, stop, f"({predicate} OR true)")
    elif tokens[at].text == "AND":
        yield Edit(kind, tokens[at].start, stop, "")
    else:
        yield Edit(kind, start, stop, "true")


def _without_order(tokens: list[_Token], at: int) -> Iterator[Edit]:
    """Drop ORDER BY …; where it orders the locking of rows it is a part of the lock."""
    end = _end_of(tokens, at + 2, _ENDS_ORDER)
    if end is None:
        return
    locks = end < len(tokens) and tokens[end].text == "FOR"
    yield Edit("lock" if locks else "predicate", tokens[at].start, tokens[end - 1].end, "")


def _end_of(tokens: list[_Token], at: int, words: set[str]) -> int | None:
    """Where what begins here ends: at one of the words or a bracket; None if that is unclear."""
    depth = cases = 0
    for now in range(at, len(tokens)):
        token = tokens[now]
        if token.type == "quote":
            # The literal ends; what begins here must not go on in the next one.
            rest = [other for other in tokens[now:] if other.type != "quote"]
            whole = not rest or rest[0].text in words or rest[0].type == "close"
            return now if depth == cases == 0 and whole else None
        if depth == cases == 0 and (token.text in words or token.type == "close"):
            return now
        depth += (token.type == "open") - (token.type == "close")
        cases += (token.text == "CASE") - (token.text == "END")
        if token.text == "BETWEEN" and depth == 0:
            return None
    return len(tokens) if depth == cases == 0 else None


def _matching(tokens: list[_Token], at: int) -> int:
    depth = 0
    for now in range(at, len(tokens)):
        depth += (tokens[now].type == "open") - (tokens[now].type == "close")
        if depth == 0:
            return now
    return at


def _is_of_between(tokens: list[_Token], at: int) -> bool:
    return any(token.text == "BETWEEN" for token in tokens[max(0, at - 8) : at])


def _is_after_or(tokens: list[_Token], at: int) -> bool:
    """Whether an OR stands before this AND on the same level: to drop more is another mutant."""
    depth = 0
    for token in reversed(tokens[:at]):
        depth += (token.type == "close") - (token.type == "open")
        if depth < 0 or (depth == 0 and token.text in ("WHERE", "ON", "WHEN")):
            return False
        if depth == 0 and token.text == "OR":
            return True
    return False
