"""The pipelines and executions of this cloud: held in memory, written through to the store."""

import copy
import threading

from local_cloud.codepipeline.records import Declaration, Execution, PipelineRecord
from local_cloud.store import Store
from local_cloud.wire import ServiceError


class Repository:
    """Every pipeline, all versions of its structure, and its executions.

    `lock` guards all of it: whoever reads or changes a record holds it, and calls `save_*` before letting go.
    """

    def __init__(self, store: Store) -> None:
        self.lock = threading.RLock()
        self._pipelines = store.table("codepipeline/pipelines")
        self._structures = store.table("codepipeline/structures")
        self._executions = store.table("codepipeline/executions")
        self._records = {name: PipelineRecord.from_document(d) for name, d in self._pipelines.items()}
        self._declarations: dict[str, Declaration] = dict(self._structures.items())
        self._by_pipeline: dict[str, dict[str, Execution]] = {name: {} for name in self._records}
        for key, document in self._executions.items():
            if document["pipeline"] in self._records:
                self._by_pipeline[document["pipeline"]][document["id"]] = Execution.from_document(document)
            else:  # the server was killed while it removed the pipeline
                self._executions.delete(key)

    def names(self) -> list[str]:
        return list(self._records)

    def exists(self, name: str) -> bool:
        return name in self._records

    def pipeline(self, name: str) -> PipelineRecord:
        """The pipeline of that name.

        Raises:
            ServiceError: PipelineNotFoundException.
        """
        if name not in self._records:
            message = f"Account does not have a pipeline with name '{name}'"
            raise ServiceError("PipelineNotFoundException", message)
        return self._records[name]

    def declaration(self, name: str, version: int | None = None) -> Declaration:
        """The structure of a pipeline in its latest or the given version; not to be changed.

        Raises:
            ServiceError: PipelineNotFoundException, PipelineVersionNotFoundException.
        """
        record = self.pipeline(name)
        declaration = self._declarations.get(f"{name}/{version or record.version}")
        if declaration is None:
            message = f"Pipeline '{name}' has no version {version}; its latest is {record.version}"
            raise ServiceError("PipelineVersionNotFoundException", message)
        return declaration

    def find_execution(self, name: str, execution_id: str) -> Execution | None:
        return self._by_pipeline.get(name, {}).get(execution_id)

    def executions(self, name: str) -> list[Execution]:
        """The executions of a pipeline in the order in which they were started."""
        return list(self._by_pipeline[self.pipeline(name).name].values())

    def execution(self, name: str, execution_id: str) -> Execution:
        """One execution of a pipeline.

        Raises:
            ServiceError: PipelineNotFoundException, PipelineExecutionNotFoundException.
        """
        execution = self.find_execution(self.pipeline(name).name, execution_id)
        if execution is None:
            message = f"Pipeline execution with id '{execution_id}' does not exist for pipeline with name '{name}'"
            raise ServiceError("PipelineExecutionNotFoundException", message)
        return execution

    def save_pipeline(self, record: PipelineRecord, declaration: Declaration | None = None) -> None:
        """Keep a pipeline, and with `declaration` the structure of its version."""
        if declaration is not None:
            key = f"{record.name}/{record.version}"
            self._declarations[key] = copy.deepcopy(declaration)
            self._structures.put(key, declaration)
        self._records[record.name] = record
        self._by_pipeline.setdefault(record.name, {})
        self._pipelines.put(record.name, record.document())

    def save_execution(self, execution: Execution) -> None:
        self._by_pipeline[execution.pipeline][execution.id] = execution
        self._executions.put(f"{execution.pipeline}/{execution.id}", execution.document())

    def remove(self, name: str) -> None:
        """Forget a pipeline with its versions and executions."""
        del self._records[name]
        self._pipelines.delete(name)
        for execution_id in self._by_pipeline.pop(name):
            self._executions.delete(f"{name}/{execution_id}")
        for key in [key for key in self._declarations if key.rpartition("/")[0] == name]:
            del self._declarations[key]
            self._structures.delete(key)
