"""quarantine_of: what another task has rejected, as a source that is written in a Dag file and found at run time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_openai_dest.exceptions import ConfigurationError, TransientError

if TYPE_CHECKING:
    from airflow_provider_openai_dest.checkpoint.scope import Scope
    from airflow_provider_openai_dest.sinks.folder import Folder
    from airflow_provider_openai_dest.sources.quarantine import QuarantineSource

LATEST = "latest"

_CLAIM = re.compile(r"delivery-(?P<scope>[0-9a-f]{10})-d(?P<number>\d+)-g\d+\.json")
_MAPPED = re.compile(r"map_index=(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineOf:
    """The quarantine of a task, not looked for yet; the texts may hold Jinja."""

    dag_id: str
    task_id: str
    run: str
    map_index: int | None
    results: str | None

    def __str__(self) -> str:
        """Say the same in every process, since Airflow keeps it with the Dag."""
        return f"quarantine_of({self.dag_id!r}, {self.task_id!r}, {self.run!r})"

    def found(self, render: Callable[[str], Any], conn_id: str | None = None) -> QuarantineSource:
        """Find what is rejected now of the newest delivery: without what was delivered since, by whatever task.

        :param render: fills in Jinja.
        :param conn_id: Airflow connection of the storage.
        """
        from airflow_provider_openai_dest.checkpoint.replay import PastDelivery
        from airflow_provider_openai_dest.sources.quarantine import QuarantineSource

        run = str(render(self.run))
        results = str(render(self.results)) if self.results else None
        if run == LATEST:
            run = self._latest_run(results, conn_id)
        files, settled = [], set()
        pasts = [PastDelivery(folder, name) for folder, name in self._deliveries(run, results, conn_id)]
        if not pasts:
            raise ConfigurationError(
                f"{self}: there is no delivery of this task in run {run!r} in {self._where(results)}; if the task has "
                "results=, give the same to quarantine_of"
            )
        for past in pasts:
            own = [past.folder / name for name in past.quarantine()]
            keys = {original.key for _, original in QuarantineSource(own).entries()}
            settled |= {(f"quarantine-{past.name}", key) for key in past.delivered(keys)}
            files += own
        return QuarantineSource(files, f"of {self.dag_id}.{self.task_id} in run {run}", passed_over=settled)

    def _deliveries(self, run: str, results: str | None, conn_id: str | None) -> Iterator[tuple[Folder, str]]:
        """Give folder and name of the newest delivery of each task instance of the task in a run."""
        from airflow_provider_openai_dest.checkpoint.scope import Scope
        from airflow_provider_openai_dest.operators.places import results_folder

        unmapped = Scope(dag_id=self.dag_id, run_id=run, task_id=self.task_id)
        root = results_folder(results, unmapped, conn_id)
        for index, folder in _folders(root):
            scope = Scope(dag_id=self.dag_id, run_id=run, task_id=self.task_id, map_index=index)
            if self.map_index in (None, index) and (number := _newest(folder, scope)):
                yield folder, f"{scope.id}-d{number}"

    def _latest_run(self, results: str | None, conn_id: str | None) -> str:
        """Give the run of the task whose delivery began last."""
        begun = [
            (_time(claim), run)
            for folder in self._folders_of_runs(results, conn_id)
            for claim, run in _claims(folder, self.dag_id, self.task_id)
        ]
        if not begun:
            raise ConfigurationError(
                f"{self}: there is no delivery of this task in {self._where(results)}; if the task has results=, give "
                "the same to quarantine_of"
            )
        return max(begun)[1]

    def _folders_of_runs(self, results: str | None, conn_id: str | None) -> Iterator[Folder]:
        from airflow_provider_openai_dest.operators.places import open_results, results_root
        from airflow_provider_openai_dest.sinks.binary_files import safe_name

        if results:
            roots = [open_results(results, conn_id)]
        else:
            runs = open_results(f"{results_root()}/{safe_name(self.dag_id)}", conn_id)
            roots = [run / safe_name(self.task_id) for run in _content(runs)]
        for root in roots:
            yield from (folder for _, folder in _folders(root))

    def _where(self, results: str | None) -> str:
        from airflow_provider_openai_dest.operators.places import results_root
        from airflow_provider_openai_dest.sources.readable_file import without_user_info

        return without_user_info(results or results_root())


def quarantine_of(
    dag_id: str, task_id: str, run: str = LATEST, *, map_index: int | None = None, results: str | None = None
) -> QuarantineOf:
    """Send what a task has rejected again: write it as ``source=``.

    The quarantine is looked for when the task runs, and what was delivered since is left out. What is delivered
    settles the record in the delivery that it came from: a later retry or clear of that task does not send it again.

    :param dag_id: Dag of the task.
    :param task_id: the task, with the ids of its task groups.
    :param run: id of its run, which may be a Jinja text such as ``{{ dag_run.conf["run"] }}``; ``latest`` is the run
        whose delivery began last.
    :param map_index: one instance of a mapped task; None is all of them.
    :param results: the task's own ``results=``, when it has one.
    """
    return QuarantineOf(dag_id=dag_id, task_id=task_id, run=run, map_index=map_index, results=results)


def _content(folder: Folder) -> list[Folder]:
    """List a folder; TransientError when it can't be read, and nothing when it is not there."""
    try:
        return sorted(folder.iterdir(), key=lambda path: path.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except Exception as error:  # clients of object storage raise what they like
        raise TransientError(f"can't list {folder}: {type(error).__name__}: {error}") from error


def _folders(root: Folder) -> Iterator[tuple[int, Folder]]:
    """Give the folder of a task, and those of its mapped instances, each with its index."""
    yield -1, root
    for folder in _content(root):
        if match := _MAPPED.fullmatch(folder.name):
            yield int(match[1]), folder


def _newest(folder: Folder, scope: Scope) -> int | None:
    """Give the number of the newest delivery of a task instance; None when there is none."""
    claims = [match for path in _content(folder) if (match := _CLAIM.fullmatch(path.name))]
    return max((int(match["number"]) for match in claims if match["scope"] == scope.id), default=None)


def _claims(folder: Folder, dag_id: str, task_id: str) -> Iterator[tuple[Folder, str]]:
    """Give the claims of a task's deliveries in a folder, each with its run."""
    import msgspec

    for path in _content(folder):
        if not _CLAIM.fullmatch(path.name):
            continue
        try:
            with path.open("rb") as stream:
                scope = msgspec.json.decode(stream.read())["scope"]
            if (scope["dag_id"], scope["task_id"]) == (dag_id, task_id):
                yield path, str(scope["run_id"])
        except Exception as error:  # clients of object storage raise what they like
            raise TransientError(f"can't read the state in {path}: {type(error).__name__}: {error}") from error


def _time(path: Any) -> float:
    return float(path.stat().st_mtime)
