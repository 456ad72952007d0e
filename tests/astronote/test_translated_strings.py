"""What people read on pages goes through gettext: no literal stands where a page shows it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("astronote", "contacts", "messaging", "campaigns", "compliance")
# Commands, migrations and the stand-in for Mitto speak English; customers' texts have languages of
# their own, by the store.
LEFT_OUT = (
    "/migrations/",
    "/management/",
    "/sandbox.py",
    "/sandbox_bodies.py",
    "/page_texts.py",
    "/invoice_texts.py",
    "/opt_in_wording.py",
)

TRANSLATORS = {
    "_",
    "gettext",
    "gettext_lazy",
    "gettext_noop",
    "ngettext",
    "ngettext_lazy",
    "npgettext",
    "pgettext",
    "pgettext_lazy",
}
TRANSLATED_AT_ONCE = {"gettext", "ngettext", "npgettext", "pgettext"}
PLACES_OF_TEXTS = {
    "ngettext": (0, 1),
    "ngettext_lazy": (0, 1),
    "npgettext": (0, 1, 2),
    "pgettext": (0, 1),
    "pgettext_lazy": (0, 1),
}
SHOWN_KEYWORDS = {
    "description",
    "empty_label",
    "help_text",
    "label",
    "short_description",
    "title",
    "verbose_name",
    "verbose_name_plural",
}
SHOWN_NAMES = SHOWN_KEYWORDS | {"empty_hint", "index_title", "search_help_text"}
# The arguments of a call that people read. Our own errors are found by themselves.
SHOWN_ARGUMENTS = {
    "Banner": (2,),
    "ContactAction": (1, 2),
    "FirstStep": (0, 1),
    "Found": (1,),
    "FoundBy": (0,),
    "NoPersonalData": (2,),
    "Notice": (0,),
    "PersonalData": (2, 3),
    "PersonalPlace": (1, 3, 4),
    "Question": (0,),
    "RunNow": (1,),
    "SidebarLink": (0, 1),
    "Trace": (0, 2),
    "ValidationError": (0,),
    "add_error": (1,),
    "error": (1,),
    "info": (1,),
    "message_user": (1,),
    "success": (1,),
    "to_admin_changelist": (0, 1),
    "warning": (1,),
}
SHOWN_KEYWORDS_OF_DECLARATIONS = {"categories", "how", "kept_after_store", "purpose", "source"}
DECLARATIONS = {"FoundBy", "PersonalData", "PersonalPlace"}
# Functions of these names belong to `django.contrib.messages`, or log.
MESSAGE_FUNCTIONS = {"error", "info", "success", "warning"}
# Errors of ours that no page shows: answers to programs, and what logs and processes say.
ERRORS_FOR_PROGRAMS = {
    "DatabaseUnavailable",
    "EmbeddedError",
    "ListenError",
    "Postponed",
    "RefusedJob",
    "RequestRefused",
    "RowError",
}
ROOT_ERRORS = {"Exception", "LookupError", "RuntimeError", "ValueError"}
NAMES_IN_EVERY_LANGUAGE = re.compile(r"Astronote|CSV|Mitto|Redis|SMS|[A-Z]+_[A-Z_]+")
WORD = re.compile(r"[^\W\d_]{2}")


def _modules(package: str) -> list[Path]:
    paths = sorted((ROOT / package).rglob("*.py"))
    return [path for path in paths if not any(part in f"{path}" for part in LEFT_OUT)]


def _name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return _name_of(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


@cache
def _own_errors() -> frozenset[str]:
    """The names of the project's exceptions."""
    bases = {
        node.name: {_name_of(base) for base in node.bases}
        for package in PACKAGES
        for path in _modules(package)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    }
    found: set[str] = set()
    while more := {
        name
        for name, parents in bases.items()
        if name not in found and parents & (found | ROOT_ERRORS)
    }:
        found |= more
    return frozenset(found - ERRORS_FOR_PROGRAMS)


def _has_words(text: str) -> bool:
    return WORD.search(NAMES_IN_EVERY_LANGUAGE.sub("", text)) is not None


class _Finder:
    """Finds the untranslated texts of one module."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree = ast.parse(path.read_text())
        self.found: dict[tuple[int, str], None] = {}
        self.parents = {
            child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)
        }

    def lines(self) -> list[str]:
        """What was found, as `file:line: text`."""
        for node in ast.walk(self.tree):
            match node:
                # A method, such as `catalog.gettext`, reads the texts of another package.
                case ast.Call(func=ast.Name(id=name)) if name in TRANSLATORS:
                    self._look_at_translation(node)
                case ast.Call():
                    self._look_at_call(node)
                case ast.ClassDef():
                    self._look_at_class(node)
                case ast.Assign():
                    self._look_at_assignment(node)
                case ast.Dict():
                    self._look_at_context(node)
                case ast.FunctionDef(name="__str__"):
                    self._look_at_returned(node)
        file = self.path.relative_to(ROOT)
        return [f"{file}:{line}: {text}" for line, text in sorted(self.found)]

    def _look_at_translation(self, call: ast.Call) -> None:
        """Only literals are found by makemessages, and imports run before a language is set."""
        name = _name_of(call.func)
        if name in TRANSLATED_AT_ONCE and self._is_run_at_import(call):
            self.found[call.lineno, f"translated at import: {ast.unparse(call)}"] = None
        for at in PLACES_OF_TEXTS.get(name, (0,)):
            text = call.args[at] if at < len(call.args) else None
            if not (isinstance(text, ast.Constant) and isinstance(text.value, str)):
                self.found[call.lineno, f"not a literal: {ast.unparse(call)}"] = None

    def _is_run_at_import(self, node: ast.AST) -> bool:
        while node in self.parents:
            inner, node = node, self.parents[node]
            if isinstance(node, ast.Lambda) or (
                isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and inner in node.body
            ):
                return False
        return True

    def _look_at_assignment(self, node: ast.Assign) -> None:
        """A variable of such a name may be anything: only attributes of classes and objects."""
        for target in node.targets:
            is_attribute = isinstance(target, ast.Attribute) or isinstance(
                self.parents[node], ast.ClassDef
            )
            if is_attribute and _name_of(target) in SHOWN_NAMES:
                self._add_if_untranslated(node.value)

    def _look_at_context(self, node: ast.Dict) -> None:
        """The title of a page, in the context that a function makes."""
        if self._scope_of(node) is self.tree:
            return
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "title":
                self._add_if_untranslated(value)

    def _look_at_returned(self, function: ast.FunctionDef) -> None:
        for node in ast.walk(function):
            if isinstance(node, ast.Return) and node.value:
                self._add_if_untranslated(node.value)

    def _look_at_call(self, call: ast.Call) -> None:
        name = _name_of(call.func)
        shown = SHOWN_ARGUMENTS.get(name, (0,) if name in _own_errors() else ())
        if name in MESSAGE_FUNCTIONS and ast.unparse(call.func) != f"messages.{name}":
            shown = ()  # of a log
        if ast.unparse(call.func) == "super().__init__" and self._is_in_own_error(call):
            shown = (0,)
        for at in shown:
            if at < len(call.args):
                self._add_if_untranslated(call.args[at])
        declared = SHOWN_KEYWORDS_OF_DECLARATIONS if name in DECLARATIONS else set()
        for keyword in call.keywords:
            if keyword.arg in SHOWN_KEYWORDS | declared and name != "dict":
                self._add_if_untranslated(keyword.value)
            if keyword.arg == "choices" and isinstance(keyword.value, ast.List | ast.Tuple):
                for pair in keyword.value.elts:
                    if isinstance(pair, ast.Tuple) and len(pair.elts) == 2:
                        self._add_if_untranslated(pair.elts[1])

    def _is_in_own_error(self, node: ast.AST) -> bool:
        while node in self.parents:
            node = self.parents[node]
            if isinstance(node, ast.ClassDef):
                return node.name in _own_errors()
        return False

    def _scope_of(self, node: ast.AST) -> ast.AST:
        """The function that a node is in, or the module."""
        while not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            node = self.parents[node]
        return node

    def _look_at_class(self, node: ast.ClassDef) -> None:
        bases = {ast.unparse(base) for base in node.bases}
        values = [one for one in node.body if isinstance(one, ast.Assign)]
        if bases & {"models.TextChoices", "models.IntegerChoices", "TextChoices"}:
            for one in values:
                label = one.value.elts[-1] if isinstance(one.value, ast.Tuple) else one.value
                self._add_if_untranslated(label)
        elif bases & {"models.Model", "AbstractBaseUser"}:
            self._look_at_fields(values)
            self._look_at_meta(node)
        elif any("Form" in base for base in bases):
            for one in values:
                is_field = isinstance(one.value, ast.Call) and _name_of(one.value).endswith("Field")
                if is_field and not self._keywords(one.value) & {"label", None}:
                    self.found[one.lineno, f"no label: {ast.unparse(one.targets[0])}"] = None

    def _look_at_fields(self, values: list[ast.Assign]) -> None:
        for one in values:
            name = _name_of(one.value) if isinstance(one.value, ast.Call) else ""
            is_relation = name in ("ForeignKey", "OneToOneField", "ManyToManyField")
            if not (is_relation or name.endswith("Field")) or not isinstance(one.value, ast.Call):
                continue
            if not is_relation and one.value.args:
                self._add_if_untranslated(one.value.args[0])
            elif "verbose_name" not in self._keywords(one.value):
                self.found[one.lineno, f"no verbose_name: {ast.unparse(one.targets[0])}"] = None

    def _look_at_meta(self, model: ast.ClassDef) -> None:
        metas = [one for one in model.body if isinstance(one, ast.ClassDef) and one.name == "Meta"]
        named = {
            name.id
            for meta in metas
            for one in ast.walk(meta)
            if isinstance(one, ast.Assign)
            for target in one.targets
            for name in ast.walk(target)
            if isinstance(name, ast.Name)
        }
        if "abstract" not in named and not {"verbose_name", "verbose_name_plural"} <= named:
            self.found[model.lineno, f"no verbose_name and plural: {model.name}"] = None
        for meta in metas:
            for one in meta.body:
                if isinstance(one, ast.Assign) and "verbose_name" in ast.unparse(one.targets[0]):
                    for text in ast.walk(one.value):
                        if not isinstance(self.parents[text], ast.Call):
                            self._add_if_untranslated(text)

    @staticmethod
    def _keywords(call: ast.expr) -> set[str | None]:
        return {keyword.arg for keyword in call.keywords} if isinstance(call, ast.Call) else set()

    def _add_if_untranslated(self, value: ast.AST) -> None:
        for node in self._untranslated_in(value, seen=set()):
            self.found[node.lineno, ast.unparse(node)] = None

    def _untranslated_in(self, value: ast.AST, seen: set[str]) -> Iterator[ast.expr]:
        """The literals with words that the value may be."""
        match value:
            case ast.Constant(value=str(text)) if _has_words(text):
                yield value
            case ast.JoinedStr(values=parts):
                literals = [part for part in parts if isinstance(part, ast.Constant)]
                if any(_has_words(str(literal.value)) for literal in literals):
                    yield value
            case ast.BinOp(left=left, op=ast.Mod()):
                yield from self._untranslated_in(left, seen)
            case ast.BinOp(left=left, right=right, op=ast.Add()):
                yield from self._untranslated_in(left, seen)
                yield from self._untranslated_in(right, seen)
            case ast.Call(func=ast.Attribute(value=template, attr="format")):
                yield from self._untranslated_in(template, seen)
            case ast.IfExp(body=body, orelse=other):
                yield from self._untranslated_in(body, seen)
                yield from self._untranslated_in(other, seen)
            case ast.BoolOp(values=values):
                for one in values:
                    yield from self._untranslated_in(one, seen)
            case ast.Name(id=name) if name not in seen:
                for one in self._values_assigned_to(name, value):
                    yield from self._untranslated_in(one, seen | {name})

    def _values_assigned_to(self, name: str, used_at: ast.AST) -> list[ast.expr]:
        """What a variable is set to in the function around its use, or else in the module."""
        local = list(ast.walk(self._scope_of(used_at)))
        return _values_of(name, local) or _values_of(name, self.tree.body)


def _values_of(name: str, statements: Iterable[ast.AST]) -> list[ast.expr]:
    return [
        one.value
        for one in statements
        if isinstance(one, ast.Assign) and name in {_name_of(target) for target in one.targets}
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_what_people_read_is_translated(package):
    found = [line for path in _modules(package) for line in _Finder(path).lines()]
    assert not found, "\n".join(["not translated:", *found])


@pytest.mark.parametrize(
    "code",
    [
        'raise ValidationError("Choose one.")',
        'raise ValidationError(f"{name} is missing.")',
        'raise ValidationError("%s is missing." % name)',
        'raise ValidationError("{} is missing.".format(name))',
        'problem = "It is missing."\nform.add_error("name", problem)',
        'messages.error(request, gettext("Done.") if done else "Not done.")',
        'messages.error(request, gettext(f"{name} is missing."))',
        'class Kind(models.TextChoices):\n    NEW = "new"',
        'class Kind(models.TextChoices):\n    NEW = "new", "is new"',
        'class One(models.Model):\n    name = models.CharField("full name")',
        "class One(models.Model):\n    name = models.CharField(max_length=5)",
        "class One(forms.Form):\n    name = forms.CharField()",
        'class OneAdmin:\n    @admin.display(description="full name")\n    def name(self): ...',
        'class OneFilter(admin.SimpleListFilter):\n    title = "full name"',
        'Notice(f"{count} wait.", "/")',
        'def show(store):\n    context = {"title": f"Off-board {store}?"}',
        'class OneAdmin:\n    title = gettext("full name")',
    ],
)
def test_an_untranslated_text_is_found(code, tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    module = tmp_path / "module.py"
    module.write_text(code)
    assert _Finder(module).lines()


@pytest.mark.parametrize(
    "code",
    [
        'def check():\n    raise ValidationError(gettext("Choose one."))',
        'def check():\n    raise SendingBlocked(gettext("%(name)s is missing.") % {"name": name})',
        'messages.error(request, f"{contact}: {problem}")',
        'log.error("an import failed: %s", kind)',
        'class Kind(models.TextChoices):\n    NEW = "new", _("is new")',
        'class One(models.Model):\n    name = models.CharField(_("full name"))\n\n'
        '    class Meta:\n        verbose_name, verbose_name_plural = _("one"), _("ones")',
        'class One(forms.Form):\n    name = forms.CharField(label=_("Name"))',
    ],
)
def test_a_translated_text_is_not_found(code, tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    module = tmp_path / "module.py"
    module.write_text(code)
    assert not _Finder(module).lines()
