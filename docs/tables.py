# ruff: noqa: INP001 - no package: a script's module beside the pages that it prints into
"""The reference tables of the pages, printed from the code (`make docs`); none of them needs Airflow.

Those of the operators, which need it, are in ``operator_tables``.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from airflow_provider_openai_dest import exceptions
from airflow_provider_openai_dest.cli.commands import COMMANDS
from airflow_provider_openai_dest.cli.ending import EXIT_CODES
from airflow_provider_openai_dest.cli.options import OPTIONS, Option
from airflow_provider_openai_dest.connection import settings, webhook_settings
from airflow_provider_openai_dest.connection.auth_fields import AUTH_MODES
from airflow_provider_openai_dest.connection.servers import CAPABILITIES, RESIDENCY_HOSTS, SERVERS, Capabilities
from airflow_provider_openai_dest.delivery.attempts import RetryPolicy
from airflow_provider_openai_dest.delivery.meter import METRICS, PREFIX
from airflow_provider_openai_dest.delivery.outcome import Outcome, Status
from airflow_provider_openai_dest.delivery.verdict import OPENAI, WEBHOOK, Verdict, VerdictTable
from airflow_provider_openai_dest.endpoints.absent import NOT_OFFERED, RETIRED
from airflow_provider_openai_dest.endpoints.catalogue import ENDPOINTS, SECTIONS, templates_of
from airflow_provider_openai_dest.endpoints.template import EndpointTemplate
from airflow_provider_openai_dest.manifest import Manifest
from airflow_provider_openai_dest.provider_info import get_provider_info
from airflow_provider_openai_dest.rendering.body import BodyTemplate
from airflow_provider_openai_dest.sandbox.faults import MODES, FaultRule
from airflow_provider_openai_dest.sandbox.operations import OPERATIONS
from airflow_provider_openai_dest.sandbox.settings import SandboxSettings
from airflow_provider_openai_dest.sinks.folder import RowLog
from airflow_provider_openai_dest.sinks.results import ResultsSink
from airflow_provider_openai_dest.sources.record import Record
from airflow_provider_openai_dest.validation.body_check import names_of
from airflow_provider_openai_dest.validation.catalogue import MODELS, model_of

_PARAM = re.compile(r"^:param (\w+):\s*(.*?)(?=^:\w|\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)
_ROLE = re.compile(r":\w+:`[~.]*([^`]+)`")
_LITERAL = re.compile(r"``(.+?)``", re.DOTALL)


# -- Markdown ----------------------------------------------------------------------------------------


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Give a Markdown table, with the empty lines around it that Markdown asks for."""
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *([cell(text) for text in row] for row in rows)]
    return "\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n\n"


def cell(text: str) -> str:
    """Put a text in one line, with nothing in it that would end the cell."""
    return " ".join(text.split()).replace("|", "\\|")


def code(value: object) -> str:
    """Give a text as code, nothing for an empty one."""
    return f"`{value}`" if str(value) else ""


def codes(values: Iterable[object]) -> str:
    """Give texts as code, with commas between them."""
    return ", ".join(map(code, values))


def plain(text: str) -> str:
    """Turn a docstring's markup into Markdown's."""
    return _LITERAL.sub(r"`\1`", _ROLE.sub(r"``\1``", text))


def first_sentence(thing: object) -> str:
    """Give the first paragraph of a docstring."""
    return plain(inspect.getdoc(thing) or "").partition("\n\n")[0]


def params_of(thing: object) -> dict[str, str]:
    """Give the ``:param name:`` texts of a docstring by name."""
    return {name: plain(text) for name, text in _PARAM.findall(inspect.getdoc(thing) or "")}


# -- the connection ----------------------------------------------------------------------------------

_MODELS: Mapping[str, tuple[Any, type[BaseModel]]] = {
    "openai_dest": (settings, settings.ConnectionSettings),
    "openai_dest_webhook": (webhook_settings, webhook_settings.WebhookSettings),
}


_WITH_AUTH = (settings.ConnectionSettings,)


def connection_fields(conn_type: str) -> str:
    """Print the fields of a connection type: where, label, meaning, default."""
    declared = next(declared for declared in _declared("connection-types") if declared["connection-type"] == conn_type)
    module, model = _MODELS[conn_type]
    labels = declared["ui-field-behaviour"]["relabeling"]
    standard = {form.place: (name, form) for name, form in module.FIELDS.items() if form.place in labels}
    rows = [
        (code(place), labels[place], form.wanted.partition(", since")[0], _default(model, name))
        for place, (name, form) in standard.items()
    ]
    rows += [
        (f"extra `{name}`", field["label"], field["description"], _default(model, module.EXTRAS[name]))
        for name, field in declared["conn-fields"].items()
    ]
    return table(("Field", "Label in the form", "Meaning", "Default"), rows)


def auth_modes() -> str:
    """Print the ways to say who sends."""
    rows = (
        (code(name), plain(mode.meaning), code(mode.header) if name != "none" else "", _needed_fields(mode.needs))
        for name, mode in AUTH_MODES.items()
    )
    return table(("`auth`", "What is sent", "Header", "Needs"), rows)


def _needed_fields(needs: Iterable[str]) -> str:
    places = [settings.FIELDS[name].place for name in needs]
    return codes(place.removeprefix("extra ") for place in places)


def servers() -> str:
    """Print the kinds of server, and what each lacks."""
    rows = (
        (
            code(name),
            server.title,
            code(server.path) if server.path else "as given",
            "`none` without a password" if server.is_open else code(server.key_mode),
            codes(name for name in CAPABILITIES if not getattr(server.can, name)) or "nothing",
        )
        for name, server in SERVERS.items()
    )
    return table(("`server`", "What it is", "Path of a bare host", "Default `auth`", "Lacks"), rows)


def capabilities() -> str:
    """Print what a server may have or lack."""
    return table(("Name", "A server that has it"), ((code(n), text) for n, text in params_of(Capabilities).items()))


def residency_hosts() -> str:
    """Print OpenAI's regional base URLs."""
    return table(
        ("Region", "Base URL"), ((code(region), code(f"https://{host}/v1")) for region, host in RESIDENCY_HOSTS.items())
    )


def _declared(name: str) -> Any:
    return get_provider_info()[name]


def _default(model: type[BaseModel], attribute: str) -> str:
    field = model.model_fields[attribute]
    needing = [name for name, mode in AUTH_MODES.items() if attribute in mode.needs] if model in _WITH_AUTH else []
    if needing:
        return f"required by {codes(needing)}"
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return code(json.dumps(value).strip('"').removesuffix(".0")) if value or value is False else ""


def airflow_options() -> str:
    """Print the options of Airflow's configuration that are this package's."""
    rows = [
        (code(f"[{section}] {name}"), option["description"], code(option["default"]))
        for section, said in _declared("config").items()
        for name, option in said["options"].items()
    ]
    return table(("Option", "Meaning", "Default"), rows)


# -- endpoints ---------------------------------------------------------------------------------------


def endpoints() -> str:
    """Print the catalogue, section by section."""
    return "".join(map(_section, SECTIONS))


def _section(section: ModuleType) -> str:
    title, _, rest = plain(inspect.getdoc(section) or "").partition(": ")
    link, _, notes = rest.partition("\n\n")
    heads = ("Name", "Operation", "Required fields", "Body", "More")
    said = " ".join(notes.split())
    return "\n".join(
        (
            f"\n### {title}\n",
            f"[OpenAI's reference]({link.rstrip('.')}). {said}".rstrip(),
            table(heads, map(_endpoint, templates_of(section))).removesuffix("\n"),
        )
    )


def _endpoint(template: EndpointTemplate) -> tuple[str, ...]:
    return (
        code(template.name),
        code(f"{template.method} {template.path}"),
        codes(template.required),
        {"json": "JSON", "multipart": "multipart", "form": "form", "none": "none"}[template.content],
        "; ".join(filter(None, _more(template))),
    )


def _more(template: EndpointTemplate) -> Iterable[str]:
    if packing := template.packing:
        yield f"up to {packing.max_records:,} records and {packing.max_tokens:,} tokens in a request"
    if template.lines_field:
        yield "one record, or all as lines of a file"
    if template.file_fields:
        yield f"sends {codes(template.file_fields)}"
    if template.answer == "file" or template.answer_files:
        yield "writes the answer"
    if template.batchable:
        yield "Batch API"
    if template.admin:
        yield "admin key"


def failed_answers() -> str:
    """Print what makes a 200 answer a failure, for each endpoint that says so."""
    rows = (
        (
            code(template.name),
            code(path),
            ", ".join("not null or empty" if value == "*" else code(value) for value in values),
        )
        for template in ENDPOINTS.values()
        for path, values in template.failed_when.items()
    )
    return table(("Endpoint", "In the answer", "Failed when it is"), rows)


def answers_with_errors() -> str:
    """Name the endpoints whose answer may hold an error that is no failure of the request."""
    return f"\n{codes(template.name for template in ENDPOINTS.values() if template.error_is_data)}.\n\n"


def endpoint_parameters() -> str:
    """Print what an endpoint template says."""
    defaults = {field.name: field for field in fields(EndpointTemplate)}
    rows = (
        (code(name), text, "required" if _is_required(defaults[name]) else _shown(defaults[name]))
        for name, text in params_of(EndpointTemplate).items()
    )
    return table(("Parameter", "Meaning", "Default"), rows)


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _shown(field: Field[Any]) -> str:
    return code(repr(field.default if field.default_factory is MISSING else field.default_factory()))


def retired_endpoints() -> str:
    """Print the names that are refused, and what to use."""
    names: dict[str, list[str]] = {}
    for name, advice in RETIRED.items():
        names.setdefault(advice, []).append(name)
    return table(("Names", "What to use"), ((codes(group), advice) for advice, group in names.items()))


def operations_not_offered() -> str:
    """Print the operations of the API that have no name, and why."""
    names: dict[str, list[str]] = {}
    for name, reason in NOT_OFFERED.items():
        names.setdefault(reason, []).append(name)
    return table(("Operation, as OpenAI calls it", "Why"), ((codes(group), reason) for reason, group in names.items()))


# -- templates ---------------------------------------------------------------------------------------

_RECORD = {"id": 7, "tags": ["a", "b"], "size": {"w": 1.5}, "full name": "Kettle"}
_TEMPLATES = (
    "{message.id}",
    "No. {message.id}",
    "{message.tags}",
    "Tags: {message.tags}",
    "{message.tags[-1]}",
    "{message.size.w}",
    '{message["full name"]}',
    "{record.id}",
    "{message.json}",
    "{x} and {}",
    "\\{message.id}",
)


def placeholders() -> str:
    """Print what placeholders become for one record."""
    rows = (
        (code(text), code(json.dumps(BodyTemplate({"field": text}).render(_RECORD)["field"]))) for text in _TEMPLATES
    )
    return table(("A text of the template", "What is sent in its place"), rows)


# -- exceptions and verdicts -------------------------------------------------------------------------


def exception_classes() -> str:
    """Print every exception class: what happens next, and which class it is a kind of."""
    classes = [
        thing
        for thing in vars(exceptions).values()
        if inspect.isclass(thing) and issubclass(thing, exceptions.OpenAIDestError) and thing.__name__[0] != "_"
    ]
    kind_of = {thing: next(kind for kind in thing.__mro__[1:] if kind.__name__[0] != "_") for thing in classes}
    rows = [(code(thing.__name__), first_sentence(thing), code(kind_of[thing].__name__)) for thing in classes]
    return table(("Class", "What happens next", "Is a"), rows)


_VERDICTS = {
    Verdict.REJECTED: "it is rejected, the others go on",
    Verdict.RETRY: f"it is sent up to {RetryPolicy().max_attempts} times, with growing pauses, and then left pending",
    Verdict.WAIT: "all requests wait as long as the answer asks; this is not counted as a try",
    Verdict.ABORT: "nothing more is sent, what is left stays pending, the task fails without a retry",
}


def openai_verdicts() -> str:
    """Print what an answer of the API means for its record."""
    return _verdicts(OPENAI)


def webhook_verdicts() -> str:
    """Print what an answer of a webhook's receiver means for its item."""
    return _verdicts(WEBHOOK)


def _verdicts(known: VerdictTable) -> str:
    said: dict[Verdict, list[str]] = {}
    for status, verdict in known.by_status.items():
        said.setdefault(verdict, []).append(str(status))
    said.setdefault(known.server_error, []).append("any other from 500 on")
    for word, verdict in known.by_code.items():
        said.setdefault(verdict, []).append(code(word))
    for message, verdict in known.by_message.items():
        said.setdefault(verdict, []).append(f"a message that begins with {code(message)}")
    said.setdefault(known.otherwise, []).append("any other status")
    rows = [(", ".join(said[verdict]), meaning) for verdict, meaning in _VERDICTS.items() if verdict in said]
    return table(("Status, code or message", "What happens"), rows)


# -- results -----------------------------------------------------------------------------------------

_MANIFEST = {
    "endpoint": "name of the endpoint",
    "input": "records of the data set",
    "whole_input": "false when the data set could not be read to its end; `input` is what was read then",
    "delivered": "records with an answer",
    "rejected": "records that were refused; they are in the quarantine",
    "pending": "records left for the next try",
    "requests": "requests sent by this try, repeated ones included; what never left is none",
    "retries": "those of them that had been sent before, by this try",
    "deduplicated": "records that got what came of an equal request; nothing was sent for them",
    "waits": "answers 429 that asked to wait; they count as no attempt",
    "waited_seconds": "how long nothing could be sent, since the rate limit was reached or the server was down",
    "maybe_billed": "records of which an answer was lost after the request had left: OpenAI may have billed them twice",
    "unknown": "records that a try which died may have sent, and whose fate nobody can know; see `on_unknown`",
    "duplicates": "records that two tries delivered, and that were paid twice; the first outcome holds",
    "usage": "sum of the API's usage objects, over all tries",
    "cost": "what that cost in US dollars, with the extra `cost`; `null` when a price is not known",
    "rejections": "the first ten kinds of rejection, each with its count and its first record",
    "origin": "the task instance",
    "delivery": "number of this delivery: a cleared task that sends anew begins the next one",
    "results": "pattern of the files with the rows; `null` when there are none",
    "rows": "pattern of the rows as they were written, which `results` are unless another form was asked for",
    "quarantine": "pattern of the files with the rejected records; `null` when there are none",
    "webhook": "counts of what this try forwarded, when there is a webhook",
    "seconds": "time of this try",
    "outcomes": "the rows themselves in the order of the input, while they are small; else `null`: read `results`",
}

_ROW = {
    "key": "the record's key",
    "position": "its place in the data set, from 0 on",
    "status": "`delivered` or `rejected`",
    "answer": "the API's answer for this record alone; `null` when it was rejected",
    "error": "`code`, `message`, `param` and `status` of the refusal",
    "http_status": "status of the last answer",
    "request_id": "OpenAI's `x-request-id`, for their support",
    "attempts": "how often the record was sent by the try that settled it; 0 when it has the answer of an equal one",
    "usage": "the API's usage object; that of a packed request stands on its first record",
    "maybe_billed": "an answer was lost after the request had left",
    "cost": "what the usage beside it cost in US dollars; only where the price is known",
    "record_digest": "a digest of the record, by which a retry sees whether it is still the same",
    "crc32": "checksum of the row as it stands without this field",
    "record": "the record, unless `keep_records=False`",
}


def manifest_fields() -> str:
    """Print the fields of a manifest."""
    return _fields([field.name for field in fields(Manifest)], _MANIFEST)


def row_fields() -> str:
    """Print the fields of a row of the results, read from a row that was written."""
    outcome = Outcome(record=Record(key="A-1", position=0, data={}), status=Status.DELIVERED, cost=0.0)
    with TemporaryDirectory() as folder:
        sink = ResultsSink(RowLog(Path(folder), "outcomes"))
        sink.write([outcome])
        sink.close()
        row = json.loads((Path(folder) / "outcomes.jsonl").read_text())
    return _fields(row, _ROW)


def _fields(names: Iterable[str], words: Mapping[str, str]) -> str:
    names = list(names)
    if gone := words.keys() - set(names):
        raise LookupError(f"docs/tables.py describes fields that are gone: {sorted(gone)}")
    if new := set(names) - words.keys():
        raise LookupError(f"docs/tables.py lacks words for the fields {sorted(new)}")
    return table(("Field", "Meaning"), ((code(name), words[name]) for name in names))


# -- metrics -----------------------------------------------------------------------------------------


def metrics() -> str:
    """Print what a delivery measures."""
    rows = (
        (code(f"{PREFIX}{name}"), metric.kind, metric.meaning, codes(metric.tags)) for name, metric in METRICS.items()
    )
    return table(("Name", "Kind", "Meaning", "Tags of its own"), rows)


# -- the command line --------------------------------------------------------------------------------


def commands() -> str:
    """Print the commands."""
    return table(("Command", "What it does"), ((code(name), command.help) for name, command in COMMANDS.items()))


def exit_codes() -> str:
    """Print what the exit codes say."""
    return table(("Exit code", "Meaning"), ((str(number), meaning) for number, meaning in EXIT_CODES.items()))


def command_options() -> str:
    """Print the options, and which commands take each."""
    heads = ("Option", "Meaning", "Commands")
    return table(heads, ((_flag(option), option.help, codes(_takers(option))) for option in OPTIONS.values()))


def _flag(option: Option) -> str:
    value = option.more.get("metavar") or "|".join(option.more.get("choices", ()))
    needs = "" if "action" in option.more else f" {value or 'TEXT'}"
    return code(f"{option.flags[0]}{needs}") + (", required" if option.more.get("required") else "")


def _takers(option: Option) -> Iterable[str]:
    return (name for name, command in COMMANDS.items() if any(OPTIONS[taken] is option for taken in command.options))


# -- sandbox -----------------------------------------------------------------------------------------


def sandbox_operations() -> str:
    """Print the operations of the API that the sandbox has."""
    heads = ("Operation", "Body", "Held to the rate limits")
    rows = (
        (
            code(f"{operation.method} {operation.path}"),
            " or ".join(filter(None, ("JSON" if operation.json else "", "multipart" if operation.form else ""))),
            "yes" if operation.count_tokens else "no",
        )
        for operation in OPERATIONS
    )
    return table(heads, rows)


def sandbox_faults() -> str:
    """Print the faults."""
    rows = ((code(name), "yes" if mode.works else "no", mode.summary) for name, mode in MODES.items())
    return table(("Fault", "Is the work done", "What the client sees"), rows)


def sandbox_fault_words() -> str:
    """Print what a fault rule may say besides the fault."""
    words = {name: text for name, text in params_of(FaultRule).items() if name != "mode"}
    return table(("Word", "Meaning"), ((code(f"{name}="), text) for name, text in words.items()))


def sandbox_settings() -> str:
    """Print the settings of a sandbox."""
    defaults = {field.name: field.default for field in fields(SandboxSettings)}
    known = inspect.signature(import_module("airflow_provider_openai_dest.sandbox.server").running_sandbox).parameters
    rows = (
        (code(name), text, code(repr(defaults[name])))
        for name, text in params_of(SandboxSettings).items()
        if name in known
    )
    return table(("Keyword", "Meaning", "Default"), rows)


# -- architecture ------------------------------------------------------------------------------------

_ROOMS = {
    "exceptions": "every exception, by what happens next",
    "provider_info": "connection forms, modules and options, as data for Airflow; imports nothing",
    "endpoints": "the API's operations, as data: `template.py` the type, `catalogue.py` the list, `absent.py` the gaps",
    "connection": "settings read from a connection, HTTP clients, tokens, kinds of server, the origin pin, redaction",
    "sources": "records out of values and files: `record.py` is the type",
    "rendering": "records into requests: placeholders, bodies, packs, forms, URLs, and the dialect of a server",
    "validation": "what a body may hold: a model for each of the main endpoints, and what checks bodies by it",
    "limits": "how fast, and how many at once: rate limits given or learnt, window, outage, retry budget",
    "wire": "where requests leave and answers come in: `wire.py` is the seam",
    "delivery": "requests into outcomes: verdicts, attempts, dispatcher, settlement, budget",
    "answers": "what an answer holds for each record: checked, handed out, extracted, validated, previewed",
    "uploads": "files in parts, files that are there already, and files that are being processed",
    "sinks": "where outcomes go: rows, quarantine, binary files, webhook",
    "checkpoint": "which records are settled, read back from the rows",
    "manifest": "what one run did",
    "prices": "what tokens cost, by the price list that is installed",
    "run_end": "what a run raises that left records unsettled",
    "estimate": "what a delivery would send and cost, told without sending",
    "cli": "the command line: a table of commands and of options",
    "__main__": "`python -m airflow_provider_openai_dest`",
    "destination": "the whole flow on one page: start reading here",
    "sandbox": "a local server that speaks the OpenAI API",
    "hooks": "Airflow connections",
    "operators": "Airflow tasks: arguments, assembly, failures",
    "sensors": "Airflow sensors",
    "triggers": "Airflow triggers, which only poll",
}


def body_models() -> str:
    """Print which fields of which endpoints' bodies are looked at."""
    models = ((name, model_of(ENDPOINTS[name])) for name in MODELS)
    rows = ((code(name), codes(sorted(names_of(model)))) for name, model in models if model)
    return table(("Endpoint", "Fields that are looked at"), rows)


def rooms() -> str:
    """Print what each room is, and which it may import, by the table of the architecture test."""
    architecture = import_module("tests.core.test_architecture")
    places = {module.name: module.path.name.replace("__init__.py", "") for module in architecture.MODULES}
    doors = {name: codes(sorted(doors)) or "nothing" for name, doors in architecture.DIRECTIONS.items()}
    doors |= dict.fromkeys(sorted(architecture.RIM), "every room, and Airflow")
    rows = [(code(places[name] or f"{name}/"), _ROOMS[name], may) for name, may in doors.items() if name in places]
    return table(("Room", "What is in it", "May import"), rows)
