"""The pages: their tables are fresh, their links lead somewhere, their commands exist."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import cogapp
import pytest
from cogapp.cogapp import CogCheckFailed

import airflow_provider_openai_dest
from airflow_provider_openai_dest.connection.settings import read_settings
from airflow_provider_openai_dest.connection.shutdowns import SHUTDOWNS
from airflow_provider_openai_dest.connection.webhook_settings import read_webhook_settings
from airflow_provider_openai_dest.sandbox import __main__ as sandbox_command
from docs.examples import PAGES, REPOSITORY, Example, examples

README = REPOSITORY / "README.md"
INDEX = REPOSITORY / "docs" / "README.md"
NEEDS_AIRFLOW = ("operator_tables", "samples")  # those are checked in tests/airflow

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CONNECTION = re.compile(r"AIRFLOW_CONN_\w+='(\{.*?\})'$", re.MULTILINE)


def name_of(thing: Path | Example) -> str:
    return thing.name if isinstance(thing, Example) else str(thing.relative_to(REPOSITORY))


def prose(page: Path) -> str:
    return FENCED.sub("", page.read_text())


def links(page: Path) -> list[str]:
    return [found[1] or found[2] for found in LINK.finditer(prose(page))]


def anchors(page: Path) -> set[str]:
    """Give the anchors that a page's headings make, as GitHub writes them."""
    headings = HEADING.findall(prose(page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def shell_lines() -> Iterator[str]:
    for page in PAGES:
        for example in examples(page, "bash"):
            yield from example.text.replace("\\\n", " ").splitlines()


# -- tables ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page", [page for page in PAGES if not any(name in page.read_text() for name in NEEDS_AIRFLOW)], ids=name_of
)
def test_tables_are_as_the_code_prints_them(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page whose tables are not those of the code fails; `make docs` prints them again."""
    monkeypatch.chdir(REPOSITORY)
    try:
        cogapp.Cog().callable_main(["cog", "--check", "--diff", name_of(page)])
    except CogCheckFailed:
        pytest.fail(f"`make docs` was not run:\n{capsys.readouterr().out}")


def test_every_code_of_a_rejection_is_explained() -> None:
    """Each code that this package gives a rejected record stands in the page of the errors."""
    page = (REPOSITORY / "docs" / "exceptions.md").read_text()
    missing = {code for code in codes_of_record_errors() if f"`{code}`" not in page}
    assert missing == set()


def codes_of_record_errors() -> set[str]:
    """Find the literal codes of ``RecordError(...)`` in the package, but for the sandbox, which is no part of a run."""
    package = Path(airflow_provider_openai_dest.__file__).parent
    files = (file for file in package.rglob("*.py") if "sandbox" not in file.parts)
    calls = (node for file in files for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
    return {
        first.value
        for call in calls
        if ast.unparse(call.func) == "RecordError"
        for first in call.args[:1]
        if isinstance(first, ast.Constant)
    }


# -- links -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to a file of the repository finds it, and the heading that it names."""
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_is_two_hops_away() -> None:
    """README.md leads to docs/README.md, and that to every page."""
    assert "docs/README.md" in links(README)
    pages = {page.name for page in PAGES if page not in (README, INDEX)}
    assert {link for link in links(INDEX) if "/" not in link and "#" not in link} == pages


def test_the_readme_is_short() -> None:
    """README.md has at most 120 lines."""
    assert len(README.read_text().splitlines()) <= 120


# -- commands ----------------------------------------------------------------------------------------


def test_make_has_the_targets_that_are_named() -> None:
    """Each `make` command in the pages is one of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    text = "\n".join(page.read_text() for page in PAGES)
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_the_sandbox_takes_the_options_that_are_named() -> None:
    """Each command that starts the sandbox has options that it knows."""
    start = "python -m airflow_provider_openai_dest.sandbox"
    commands = [line.removeprefix(start) for line in shell_lines() if line.startswith(start)]
    assert commands
    for options in commands:
        assert sandbox_command._read(shlex.split(options))


def test_connections_are_as_they_are_read() -> None:
    """Each connection that is written as JSON in the pages is one that this package reads."""
    texts = [text for page in PAGES for text in CONNECTION.findall(page.read_text())]
    assert texts
    for text in texts:
        fields = json.loads(text)
        read = read_webhook_settings if fields["conn_type"] == "openai_dest_webhook" else read_settings
        settings = read(**fields)
        assert bool(settings.secrets) is ("password" in fields)


def test_no_example_asks_for_a_model_that_ends() -> None:
    """Whoever copies an example has no warning in the log."""
    texts = {(name_of(page), text) for page in PAGES for example in examples(page) for text in _texts_of(example.text)}
    assert set() == {(page, text) for page, text in texts if text in SHUTDOWNS}


def _texts_of(code: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_samples_of_json_are_json() -> None:
    """Each block that is marked as JSON can be read."""
    for page in PAGES:
        for example in examples(page, "json"):
            json.loads(example.text)
