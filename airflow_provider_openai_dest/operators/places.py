"""Places: the folder of a task instance's results, and who the task instance is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow_provider_openai_dest.checkpoint.delivery_log import DeliveryLog
from airflow_provider_openai_dest.checkpoint.ownership import Fence, Ownership, StorageFence
from airflow_provider_openai_dest.checkpoint.predecessor import outwait_predecessor
from airflow_provider_openai_dest.checkpoint.scope import Scope
from airflow_provider_openai_dest.destination import MAX_XCOM_BYTES
from airflow_provider_openai_dest.exceptions import ConfigurationError
from airflow_provider_openai_dest.operators.airflow_versions import airflow_home, is_supervised, read_option
from airflow_provider_openai_dest.operators.object_storage import open_folder
from airflow_provider_openai_dest.operators.task_state import TaskStateFence
from airflow_provider_openai_dest.sinks.binary_files import safe_name
from airflow_provider_openai_dest.sinks.folder import Folder


def scope_of(context: Any) -> Scope:
    """Read who delivers from a task's context."""
    ti = context["ti"]
    return Scope(dag_id=ti.dag_id, run_id=ti.run_id, task_id=ti.task_id, map_index=map_index_of(ti))


def map_index_of(ti: Any) -> int:
    """Give the index of a mapped task, -1 when it is not mapped."""
    index = getattr(ti, "map_index", -1)
    return -1 if index is None else int(index)


def generation_of(context: Any) -> int:
    """Tell how often the run was cleared; 0 where this Airflow does not say."""
    return int(getattr(context.get("dag_run"), "clear_number", 0) or 0)


def was_rescheduled(context: Any) -> bool:
    """Tell whether this try ran before, and freed its worker to wait."""
    return bool(context.get("task_reschedule_count", 0))


def new_ownership(log: DeliveryLog, context: Any) -> Ownership:
    """Begin this try: earlier ones that still run stop when they see its mark, which is waited for."""
    marks = StorageFence(log.folder, log.scope, context["ti"].try_number)
    marks.begin()
    if not is_supervised():  # in ``dag.test()`` nobody supersedes it, and the store must not be asked beside the source
        return Ownership([marks], parent=lambda: 0)
    outwait_predecessor(log, marks)
    fences: list[Fence] = [marks]
    if store := context.get("task_state_store"):  # Airflow 3.3
        pointer = {"results": str(log.folder), "delivery": log.number, "try": context["ti"].try_number}
        fences.append(TaskStateFence(store, pointer))
    return Ownership(fences)


def results_folder(uri: str | None, scope: Scope, conn_id: str | None = None) -> Folder:
    """Open the folder of the results.

    Without ``uri`` it is ``[openai_dest] results_path``, or ``openai_dest`` in the Airflow home, with folders for Dag,
    run and task below, so that no paid answer is ever without a place. A mapped task has a folder for its index.
    """
    if not uri:
        uri = "/".join((results_root(), *map(safe_name, (scope.dag_id, scope.run_id, scope.task_id))))
    if scope.map_index >= 0:
        uri = f"{uri.rstrip('/')}/map_index={scope.map_index}"
    return open_results(uri, conn_id)


def results_root() -> str:
    """Give the folder below which tasks without ``results=`` have theirs."""
    return (read_option("results_path") or f"{airflow_home()}/openai_dest").rstrip("/")


def open_results(uri: str, conn_id: str | None = None) -> Folder:
    """Open a folder of results."""
    return _plain(open_folder(uri, conn_id))


def folder_of(file: Any) -> Folder:
    """Give the folder that a file is in."""
    return _plain(file.parent)


def _plain(folder: Any) -> Folder:
    """Give a local folder as a plain path: its files can be appended to and renamed, as objects can't."""
    if isinstance(folder, Path) or folder.protocol not in ("", "file", "local"):
        found: Folder = folder
        return found
    return Path(folder.path)


def max_xcom_bytes(given: int | None) -> int:
    """Give the bound of what goes to XCom: the operator's, else ``[openai_dest] max_xcom_bytes``, else 48 kB."""
    if given is not None:
        return given
    option = read_option("max_xcom_bytes")
    if option and not option.isdecimal():
        raise ConfigurationError(
            f"[openai_dest] max_xcom_bytes = {option!r} in Airflow's configuration is no whole number"
        )
    return int(option or MAX_XCOM_BYTES)
