"""The whole flow on real texts: it finds the installed operators that do what somebody means.

Collects the docstrings of every operator, sensor and hook of the installed Airflow, uploads them as a file,
embeds them, forwards every answer to a webhook, draws one image, asks one question by hand, and then finds the
operators that are nearest to what somebody wants to do.
"""

from __future__ import annotations

import ast
import json
import operator
import os
from pathlib import Path

from airflow.sdk import dag, task

from airflow_provider_openai_dest import decode_embedding
from airflow_provider_openai_dest.operators.create_image import OpenAICreateImageOperator
from airflow_provider_openai_dest.operators.embedding import OpenAIEmbeddingOperator
from airflow_provider_openai_dest.operators.manual_request import OpenAIManualRequestOperator
from airflow_provider_openai_dest.operators.upload_file import OpenAIUploadFileOperator
from airflow_provider_openai_dest.operators.webhook import OpenAIWebhookOperator

WISHES = [
    "wait until a file appears",
    "send an e-mail",
    "run a shell command",
    "start another Dag",
    "check a value in a SQL table",
]
KINDS = ("Operator", "Sensor", "Hook")
NOT_FOR_USERS = ("Abstract", "Base", "Decorated", "Mapped", "Serialized")
MODEL = "text-embedding-3-small"


# [START whole_flow]
@dag(schedule=None, tags=["openai_dest"])
def whole_flow():
    @task
    def collect():
        """Write the docstrings as JSON Lines and give the path: files carry data, XCom carries places."""
        folder = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "openai_dest"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "docstrings.jsonl"
        path.write_text("".join(json.dumps(text) + "\n" for text in docstrings()))
        return str(path)

    texts = collect()

    OpenAIUploadFileOperator(
        task_id="upload",
        source=texts,
        purpose="user_data",
        filename="docstrings.jsonl",
        expires_after={"anchor": "created_at", "seconds": 3600},
    )
    embedded = OpenAIEmbeddingOperator(
        task_id="embed",
        source=texts,
        key="name",
        model=MODEL,
        input="{message.name}: {message.text}",
        webhook_conn_id="openai_dest_webhook_default",
    )
    wishes = OpenAIEmbeddingOperator(
        task_id="embed_wishes",
        records=[{"wish": wish} for wish in WISHES],
        key="wish",
        model=MODEL,
        input="{message.wish}",
        max_xcom_bytes=200_000,
    )
    OpenAICreateImageOperator(
        task_id="draw",
        model="gpt-image-2",
        prompt="A small red kite over a harbour, flat colours",
        size="1024x1024",
        quality="low",
    )
    asked = OpenAIManualRequestOperator(
        task_id="ask",
        url="/responses",
        body={"model": "gpt-6-luna", "input": "Which Airflow operator can {message.wish}?", "max_output_tokens": 200},
        records={"wish": WISHES[0]},
    )
    OpenAIWebhookOperator(task_id="forward", manifest=asked.output)

    @task
    def nearest(texts, wishes):
        """Give the three operators nearest to each wish."""
        vectors = {
            row["key"]: decode_embedding(row["answer"]["embedding"])
            for row in rows(texts["results"])
            if "." not in row["key"] and not row["key"].startswith(NOT_FOR_USERS)  # classes, without their methods
        }
        return {
            outcome["key"]: best(decode_embedding(outcome["answer"]["embedding"]), vectors)
            for outcome in wishes["outcomes"]
        }

    nearest(embedded.output, wishes.output)
    # [END whole_flow]


def docstrings():
    """Find the docstrings of all operators, sensors and hooks, and of their methods, without importing them."""
    import airflow

    seen = set()
    for root in airflow.__path__:
        for path in sorted(Path(root).rglob("*.py")):
            if "example_dags" in path.parts or "tests" in path.parts:
                continue
            for name, text in documented(ast.parse(path.read_text())):
                if name not in seen:
                    seen.add(name)
                    yield {"name": name, "text": text}


def documented(module):
    """Give the name and docstring of each public operator, sensor and hook of a module, and of its methods."""
    for node in module.body:
        if not isinstance(node, ast.ClassDef) or not node.name.endswith(KINDS) or node.name.startswith("_"):
            continue
        if text := ast.get_docstring(node):
            yield node.name, text
        for part in node.body:
            is_method = isinstance(part, ast.FunctionDef) and not part.name.startswith("_")
            if is_method and (text := ast.get_docstring(part)):
                yield f"{node.name}.{part.name}", text


def rows(pattern):
    """Read the rows of the result files."""
    folder, _, name = pattern.rpartition("/")
    for path in sorted(Path(folder).glob(name)):
        with path.open() as lines:
            yield from map(json.loads, lines)


def best(wish, vectors, count=3):
    """Give the classes whose vectors are nearest; vectors have length 1, so the product is the cosine."""
    scores = {name: sum(map(operator.mul, wish, vector)) for name, vector in vectors.items()}
    ranked = sorted(scores, key=lambda name: scores[name], reverse=True)
    return {name: round(scores[name], 3) for name in ranked[:count]}


whole_flow()
