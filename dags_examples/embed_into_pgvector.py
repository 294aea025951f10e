"""Embed texts, load the vectors into PostgreSQL with pgvector, and find what is nearest to a question.

The connection ``vector_db`` names the database; the workers need psycopg and the extra ``parquet``.
"""

from __future__ import annotations

import json
from pathlib import Path

from airflow.sdk import BaseHook, dag, task

from airflow_provider_openai_dest import decode_embedding
from airflow_provider_openai_dest.operators.embedding import OpenAIEmbeddingOperator

MODEL = "text-embedding-3-small"
DIMENSIONS = 256  # pgvector indexes up to 2,000 of a vector
MANUALS = [
    {"id": "kettle", "text": "Fill the kettle with water. It boils a litre in two minutes and switches itself off."},
    {"id": "toaster", "text": "Toast has six levels of brown. Empty the tray of crumbs once a week."},
    {"id": "lamp", "text": "The lamp takes a bulb of 60 watts. Switch the power off before you change the bulb."},
    {"id": "radio", "text": "Turn the dial to find a station. Pull out the antenna where the sound is weak."},
]
QUESTIONS = [{"q": "How do I change the bulb of the lamp?"}, {"q": "How long does a litre of water take to boil?"}]

SCHEMA = f"""
create extension if not exists vector;
create table if not exists manual_vectors (
    id text, item int, text text, embedding vector({DIMENSIONS}), primary key (id, item)
);
create index if not exists manual_vectors_near on manual_vectors using hnsw (embedding vector_cosine_ops);
create temp table loaded (like manual_vectors) on commit drop;
"""
# A record that is loaded again may have fewer chunks than before: what it had goes.
MERGE = """
delete from manual_vectors where id in (select id from loaded);
insert into manual_vectors select * from loaded;
"""
NEAREST = "select id from manual_vectors order by embedding <=> %s::vector limit 2"


@dag(schedule=None, tags=["openai_dest"])
def embed_into_pgvector():
    # [START pgvector]
    embedded = OpenAIEmbeddingOperator(
        task_id="embed",
        records=MANUALS,
        key="id",
        model=MODEL,
        input="{message.text}",
        dimensions=DIMENSIONS,
        results_format="parquet",  # one row for each vector
    )

    @task
    def load(manifest):
        """Copy the files into the table, batch by batch; gives how many vectors came."""
        with database() as connection, connection.cursor() as cursor:
            cursor.execute(SCHEMA)
            with cursor.copy("copy loaded (id, item, text, embedding) from stdin") as copy:
                for row in vectors_of(manifest["results"]):
                    copy.write_row(row)
            count = cursor.rowcount
            cursor.execute(MERGE)
        return count

    # [END pgvector]

    questions = OpenAIEmbeddingOperator(
        task_id="embed_questions",
        records=QUESTIONS,
        key="q",
        model=MODEL,
        input="{message.q}",
        dimensions=DIMENSIONS,
    )

    @task
    def search(manifest):
        """Give the nearest manuals of each question."""
        with database() as connection:
            return {
                outcome["key"]: [found for (found,) in connection.execute(NEAREST, [wish_of(outcome)])]
                for outcome in manifest["outcomes"]
            }

    load(embedded.output) >> search(questions.output)


def database():
    """Connect to what the Airflow connection names."""
    import psycopg

    found = BaseHook.get_connection("vector_db")
    return psycopg.connect(
        host=found.host, port=found.port or 5432, user=found.login, password=found.password, dbname=found.schema
    )


def vectors_of(pattern):
    """Read the rows that have a vector, a thousand at a time."""
    from pyarrow.parquet import ParquetFile

    folder, _, name = pattern.rpartition("/")
    for path in sorted(Path(folder).glob(name)):
        for batch in ParquetFile(path).iter_batches(1000):
            for row in batch.to_pylist():
                if row.get("embedding") is not None:
                    text = json.loads(row["record"])["text"] if row["record"] else None  # once, on the first chunk
                    yield row["key"], row.get("item") or 0, text, str(row["embedding"])


def wish_of(outcome):
    """Give a question's vector as pgvector reads it."""
    return str(list(decode_embedding(outcome["answer"]["embedding"])))


embed_into_pgvector()
