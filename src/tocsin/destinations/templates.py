"""Messages as templates a site engineer can replace (receivers.md 1.1): values, if, for and filters, nothing else.

Everything that can go wrong goes wrong when the configuration is loaded: a template is read into its tree, and the tree
may hold only what is listed here. No expression that is left can fail for a value, so an alarm is never lost by one.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tocsin.config.problems import did_you_mean
from tocsin.destinations.escaping import ESCAPES, Escape
from tocsin.destinations.filters import FILTERS, JSON_FILTERS, misused
from tocsin.destinations.words import ADDRESS, LISTS, MEDIUM, PLAIN

LONGEST_TEMPLATE = 65_536
LONGEST_OUTPUT = 1_048_576
_DEEPEST_LOOP, _DEEPEST = 2, 20
_LOOP = frozenset({"index", "first", "last", "length"})
_Scope = Mapping[str, frozenset[str]]


class TemplateProblem(ValueError):
    """A template that cannot be used; the text names template, line, fact, and what is known instead."""

    def __init__(self, name: str, line: int, fact: str) -> None:
        super().__init__(f"{name}, line {line}: {fact}")
        self.name = name
        self.line = line


class Template:
    """`text` is what was written; `escape` how values are made safe in it."""

    def __init__(self, text: str, escape: Escape, name: str, program: Any) -> None:
        self.text = text
        self.escape = escape
        self.name = name
        self._program = program

    def __repr__(self) -> str:
        return f"Template({self.name})"

    def render(self, values: Mapping[str, object]) -> str:
        """The message. `values` as `words` gives them. Raises TemplateProblem when it would be longer than a MiB."""
        written, size = [], 0
        for part in self._program.generate(values):
            written.append(part)
            size += len(part)
            if size > LONGEST_OUTPUT:
                raise TemplateProblem(self.name, 1, f"makes a message of more than {LONGEST_OUTPUT} characters")
        return "".join(written)


def compiled(text: str, escape: Escape, name: str, more: frozenset[str] = frozenset()) -> Template:
    """`name` is for problems: the setting or file it stands in. `more` are keys only this place has, single values.

    Raises TemplateProblem.
    """
    if len(text) > LONGEST_TEMPLATE:
        raise TemplateProblem(name, 1, f"is longer than {LONGEST_TEMPLATE} characters")
    environment = _environment(escape)
    try:
        tree = environment.parse(text)
        _Checker(name, environment.filters, PLAIN | LISTS | {"addr"} | more).check(tree)
        program = environment.from_string(tree)
    except TemplateProblem:
        raise
    except TemplateSyntaxError as error:
        raise TemplateProblem(name, error.lineno, str(error.message)) from None
    except (RecursionError, MemoryError, SyntaxError):
        raise TemplateProblem(name, 1, "is nested too deeply") from None
    except (ValueError, OverflowError):
        raise TemplateProblem(name, 1, "holds a number that is too large") from None
    return Template(text, escape, name, program)


def _environment(escape: Escape) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, finalize=ESCAPES[escape], trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, cache_size=0,
    )  # fmt: skip
    environment.filters = {**FILTERS, **(JSON_FILTERS if escape == "json" else {})}
    environment.tests = {}
    environment.globals = {}
    return environment


class _Checker:
    """Walks the tree; whatever is not named here is refused."""

    def __init__(self, name: str, filters: Mapping[str, Any], keys: frozenset[str]) -> None:
        self._name = name
        self._filters = filters
        self._keys = keys

    def check(self, tree: nodes.Template) -> None:
        known = {key: frozenset[str]() for key in self._keys}
        self._all(tree.body, {**known, "addr": ADDRESS}, 0, 0)

    def _all(self, found: Iterable[nodes.Node | None], scope: _Scope, depth: int, loops: int) -> None:
        if depth > _DEEPEST:
            raise TemplateProblem(self._name, 1, f"is nested more than {_DEEPEST} deep")
        for node in found:
            if isinstance(node, nodes.For):
                self._for(node, scope, depth, loops)
            elif node is not None:
                self._all(self._below(node, scope), scope, depth + 1, loops)

    def _below(self, node: nodes.Node, scope: _Scope) -> Iterable[nodes.Node | None]:
        """Checks one node; what is to be checked below it."""
        match node:
            case nodes.Name():
                self._key(node, scope)
            case nodes.Getattr():
                self._part(node, scope)
            case nodes.Filter():
                self._filter(node)
                return [node.node]
            case nodes.Compare():
                return self._compared(node)
            case nodes.CondExpr(expr2=None):
                raise self._problem(node, "an if within a value needs its else")
            case nodes.Output() | nodes.If() | nodes.CondExpr() | nodes.And() | nodes.Or() | nodes.Not():
                return node.iter_child_nodes()
            case nodes.TemplateData() | nodes.Const():
                pass
            case _:
                what = type(node).__name__.lower()
                raise self._problem(node, f"{what} cannot be used; there are values, if, for, filters, ==, in, and, or")
        return []

    def _for(self, node: nodes.For, scope: _Scope, depth: int, loops: int) -> None:
        target, source = node.target, node.iter
        if not (isinstance(target, nodes.Name) and isinstance(source, nodes.Name) and source.name in LISTS):
            raise self._problem(node, f"a loop is written: for one in {' or '.join(sorted(LISTS))}")
        if node.recursive or loops >= _DEEPEST_LOOP:
            raise self._problem(node, f"loops go at most {_DEEPEST_LOOP} deep")
        if target.name in scope:
            raise self._problem(node, f'"{target.name}" is taken and cannot be the name of a loop\'s item')
        item = MEDIUM if source.name == "media" else frozenset[str]()
        inside = {**scope, target.name: item, "loop": _LOOP}
        self._all([node.test, *node.body], inside, depth + 1, loops + 1)
        self._all(node.else_, scope, depth + 1, loops)

    def _key(self, node: nodes.Name, scope: _Scope) -> None:
        if node.name not in scope:
            raise self._unknown(node, node.name, scope)
        if scope[node.name]:
            raise self._unknown(node, node.name, (f"{node.name}.{part}" for part in scope[node.name]))

    def _part(self, node: nodes.Getattr, scope: _Scope) -> None:
        owner = node.node.name if isinstance(node.node, nodes.Name) else "…"
        parts = scope.get(owner, frozenset())
        if node.attr not in parts:
            known = [f"{owner}.{part}" for part in parts] or scope
            raise self._unknown(node, f"{owner}.{node.attr}", known)

    def _filter(self, node: nodes.Filter) -> None:
        if node.name not in self._filters:
            raise self._unknown(node, f"|{node.name}", (f"|{name}" for name in self._filters))
        arguments = [_constant(argument) for argument in node.args]
        if None in arguments or node.kwargs or node.dyn_args or node.dyn_kwargs:
            raise self._problem(node, f"|{node.name} takes plain texts and numbers, without names")
        problem = misused(self._filters[node.name], arguments)
        if problem:
            raise self._problem(node, f"|{node.name} {problem}")

    def _compared(self, node: nodes.Compare) -> Iterable[nodes.Node]:
        """Only comparisons that no value can make fail; what is left to check of it."""
        for operand in node.ops:
            listed = isinstance(operand.expr, nodes.List | nodes.Tuple)
            named = isinstance(operand.expr, nodes.Name) and operand.expr.name == "objects"
            if operand.op not in ("eq", "ne") and not (operand.op in ("in", "notin") and (listed or named)):
                raise self._problem(node, 'values are compared by ==, != or: in ["one", "other"], in objects')
        found: list[nodes.Node] = [node.expr]
        for operand in node.ops:
            many = isinstance(operand.expr, nodes.List | nodes.Tuple)
            found += operand.expr.iter_child_nodes() if many else [operand.expr]
        return found

    def _unknown(self, node: nodes.Node, written: str, known: Iterable[str]) -> TemplateProblem:
        words = sorted(known)
        near = did_you_mean(written, words)
        guess = f", {near}" if near.startswith("did") else "."
        return self._problem(node, f'"{written}" cannot stand here{guess} Known here: {", ".join(words)}')

    def _problem(self, node: nodes.Node, fact: str) -> TemplateProblem:
        return TemplateProblem(self._name, node.lineno, fact)


def _constant(node: nodes.Expr) -> object:
    """A written text or number; None for anything else."""
    if isinstance(node, nodes.Neg) and isinstance(node.node, nodes.Const) and isinstance(node.node.value, int):
        return -node.node.value
    return node.value if isinstance(node, nodes.Const) else None
