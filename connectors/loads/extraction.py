"""dlt: takes the rows of a slice to Parquet files, and keeps the schema of the table.

dlt extracts and normalises. It does not load: what is loaded, and how far, is one commit of the lake
(`connectors.lake.load_table`), so that a process may die at any instruction. dlt works in a folder of its own that is
deleted afterwards; its schema is kept in the lake with the table's progress.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import dlt
import pyarrow as pa
from dlt.common.schema import Schema
from dlt.common.schema.typing import TSchemaContractDict, TStoredSchema
from dlt.extract.exceptions import ResourceExtractionError
from dlt.pipeline.exceptions import PipelineStepFailed

from connectors.errors import ContractMismatch, LakehouseError

_FREEZE: TSchemaContractDict = {"tables": "evolve", "columns": "freeze", "data_type": "freeze"}
_EVOLVE: TSchemaContractDict = {"tables": "evolve", "columns": "evolve", "data_type": "freeze"}


@dataclass(frozen=True)
class Extracted:
    """The rows of a slice.

    Attributes:
        files: Parquet files.
        schema: dlt's schema of the table.
    """

    files: tuple[str, ...]
    schema: dict[str, Any]


def extract(
    rows: Iterator[pa.Table], *, table: str, folder: Path, schema: Mapping[str, Any] | None, evolve: bool
) -> Extracted:
    """Takes rows to Parquet files in a folder.

    Args:
        rows: The rows; what they raise is raised.
        table: Name of the table.
        folder: An empty folder.
        schema: dlt's schema of the table, if it was loaded before.
        evolve: Whether there may be columns that the schema does not have.

    Raises:
        ContractMismatch: There are, and they may not; or a column is of another type.
    """
    known = Schema(table) if schema is None else Schema.from_stored_schema(cast(TStoredSchema, dict(schema)))
    pipeline = dlt.pipeline(
        table,
        pipelines_dir=str(folder),
        destination=dlt.destinations.filesystem(bucket_url=str(folder / "unused")),
        dataset_name=table,
    )
    resource = dlt.resource(
        rows, name=table, max_table_nesting=0, schema_contract=_EVOLVE if evolve or schema is None else _FREEZE
    )
    try:
        pipeline.extract(resource, schema=known, loader_file_format="parquet")
        pipeline.normalize()
    except PipelineStepFailed as error:
        raise _cause(error, table) from error
    files = [
        job.file_path
        for package in pipeline.list_normalized_load_packages()
        for job in pipeline.get_load_package_info(package).jobs["new_jobs"]
        if job.job_file_info.table_name == table
    ]
    return Extracted(tuple(sorted(files)), dict(pipeline.default_schema.to_dict()))


def _cause(error: PipelineStepFailed, table: str) -> BaseException:
    """What a source raised, if it did; dlt wraps it twice."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, LakehouseError):
            return cause
        if isinstance(cause, ResourceExtractionError) and cause.__cause__ is not None:
            return cause.__cause__
        cause = cause.__cause__ or getattr(cause, "exception", None)
    return ContractMismatch(f"{table}: {error.exception}", hint="declare the types of its columns under `columns`")
