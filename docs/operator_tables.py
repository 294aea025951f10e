# ruff: noqa: INP001 - no package: a script's module beside the pages that it prints into
"""The tables of the operators, printed from their code (`make docs`); these need Airflow."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from airflow.sdk import BaseOperator

import airflow_provider_openai_dest as package
from airflow_provider_openai_dest.operators.list_source import OpenAIListSource
from airflow_provider_openai_dest.provider_info import get_provider_info
from docs.tables import code, codes, first_sentence, params_of, plain, table

# What the one above takes and this one refuses.
_REFUSED = {"OpenAIUploadFileOperator": ("body",)}


def operators() -> list[type[BaseOperator]]:
    """Give the operators and sensors, in the order of the provider's metadata."""
    info: Any = get_provider_info()
    declared = [*info["operators"], *info["sensors"]]
    modules = [import_module(name) for entry in declared for name in entry["python-modules"]]
    public = [getattr(package, name) for name in package.__all__ if name.endswith(("Operator", "Sensor"))]
    return [operator for module in modules for operator in public if operator.__module__ == module.__name__]


def page_of(operator: type[BaseOperator]) -> str:
    """Name the page of an operator: that of its module."""
    return f"{operator.__module__.rpartition('.')[2]}.md"


def summary(folder: str = "") -> str:
    """Print all operators, each with what it does; ``folder`` is the way to the pages."""
    rows = ((f"[`{thing.__name__}`]({folder}{page_of(thing)})", first_sentence(thing)) for thing in operators())
    return table(("Operator", "What it does"), rows)


def parameters(name: str) -> str:
    """Print the parameters that an operator itself has, and name those that it takes over."""
    operator = _named(name)
    heads = ("Parameter", "Type", "Default", "Meaning")
    return table(heads, _rows(operator)) + f"{_rendered_by_jinja(operator)}\n\n" + _inherited(operator)


def _named(name: str) -> type[BaseOperator]:
    return next(thing for thing in operators() if thing.__name__ == name)


def _rows(operator: type[BaseOperator]) -> Iterable[tuple[str, ...]]:
    meanings = params_of(operator)
    hints = get_type_hints(operator.__init__)
    for parameter in _own(operator):
        default = "required" if parameter.default is parameter.empty else code(repr(parameter.default))
        yield code(parameter.name), worded(hints[parameter.name]), default, meanings[parameter.name]


def _own(operator: type[BaseOperator]) -> list[inspect.Parameter]:
    found = inspect.signature(operator.__init__).parameters.values()
    return [parameter for parameter in found if parameter.kind is parameter.KEYWORD_ONLY]


def _rendered_by_jinja(operator: type[BaseOperator]) -> str:
    rendered = {*operator.template_fields, *_body_fields(operator)}
    return f"Jinja renders: {codes(name for name in map(_name, _own(operator)) if name in rendered)}."


def _inherited(operator: type[BaseOperator]) -> str:
    """Name the parameters of the operators above, but for those that this one sets itself."""
    above = [base for base in operator.__mro__[1:] if base in operators()]
    if not above:
        return "Beside these it takes what every Airflow operator takes: `task_id`, `retries`, `pool`, ...\n\n"
    taken = {*map(_name, _own(operator)), *_set_by(operator), *_REFUSED.get(operator.__name__, ())}
    names = [name for base in above for name in map(_name, _own(base)) if name not in taken]
    pages = " and ".join(f"[{base.__name__}]({page_of(base)}#parameters)" for base in above)
    return f"From {pages} it takes: {codes(names)}.\n\n"


def _name(parameter: inspect.Parameter) -> str:
    return parameter.name


def _set_by(operator: type[BaseOperator]) -> set[str]:
    """Find the keywords that an operator gives to the one above, so that nobody else can."""
    return {
        keyword.arg
        for node in _nodes(operator)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__"
        for keyword in node.keywords
        if keyword.arg is not None
    }


def _body_fields(operator: type[BaseOperator]) -> set[str]:
    """Find the keywords that become ``fields`` of the body, which Jinja renders."""
    return {
        key.value
        for node in _nodes(operator)
        if isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == "fields"
        and isinstance(node.value, ast.Dict)
        for key in node.value.keys
        if isinstance(key, ast.Constant)
    }


def _nodes(operator: type[BaseOperator]) -> Iterable[ast.AST]:
    return ast.walk(ast.parse(textwrap.dedent(inspect.getsource(operator))))


def worded(annotation: Any) -> str:
    """Say a type as people do; None is left out, since the default tells it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(code(f'"{value}"') for value in arguments)
    if origin in (Union, UnionType):
        return " or ".join(worded(part) for part in arguments if part is not NoneType)
    if origin is not None and issubclass(origin, Mapping):
        return "dict"
    if origin is not None and issubclass(origin, Sequence):
        return f"list of {worded(arguments[0])}"
    return "any" if annotation is Any else str(annotation.__name__)


def list_source() -> str:
    """Print what a list of the API takes as a source."""
    meanings = params_of(OpenAIListSource)
    rows = (
        (code(parameter.name), meanings[parameter.name])
        for parameter in inspect.signature(OpenAIListSource).parameters.values()
    )
    return table(("Parameter", "Meaning"), rows)


def hook_parameters() -> str:
    """Print what the hooks take."""
    hooks = [getattr(package, name) for name in package.__all__ if name.endswith("Hook")]
    rows = ((code(hook.__name__), code(hook.default_conn_name), plain(first_sentence(hook))) for hook in hooks)
    return table(("Hook", "Default connection", "What it does"), rows)
