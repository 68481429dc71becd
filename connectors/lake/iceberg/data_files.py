"""A data file of a Delta table as an entry of Iceberg's manifests.

pyiceberg's own `add_files` takes the values of partition columns from the file, where Delta does not write them: each
row would have NULL. They are in Delta's log.
"""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pyiceberg.io import FileIO
    from pyiceberg.manifest import DataFile
    from pyiceberg.table.metadata import TableMetadata

_EPOCH = date(1970, 1, 1)


def data_file(io: "FileIO", metadata: "TableMetadata", path: str, action: Mapping[str, Any]) -> "DataFile":
    """Makes the entry of one file.

    Args:
        io: What reads its footer.
        metadata: The Iceberg table's.
        path: Its address.
        action: How Delta's log has it.
    """
    from pyiceberg.io.pyarrow import (  # noqa: PLC0415 - an extra
        compute_statistics_plan,
        data_file_statistics_from_parquet_metadata,
        parquet_path_to_id_mapping,
    )
    from pyiceberg.manifest import DataFile, DataFileContent, FileFormat  # noqa: PLC0415
    from pyiceberg.typedef import Record  # noqa: PLC0415

    schema = metadata.schema()
    file = io.new_input(path)
    with file.open() as stream:
        footer = pq.read_metadata(stream)
    statistics = data_file_statistics_from_parquet_metadata(
        parquet_metadata=footer,
        stats_columns=compute_statistics_plan(schema, metadata.properties),
        parquet_column_mapping=_with_aliases(parquet_path_to_id_mapping(schema)),
    )
    columns = [schema.find_field(field.source_id).name for field in metadata.spec().fields]
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=Record(*(_partition_value(action[f"partition.{name}"]) for name in columns)),
        file_size_in_bytes=len(file),
        sort_order_id=None,
        spec_id=metadata.default_spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )


def _with_aliases(ids: Mapping[str, int]) -> dict[str, int]:
    """Adds what delta-rs calls the insides of maps and lists in a file."""
    alias = {
        path.replace(".key_value.", ".entries.").replace(".list.element", ".list.item"): n for path, n in ids.items()
    }
    return {**alias, **ids}


def _partition_value(value: Any) -> Any:
    """Iceberg keeps days as their number."""
    return (value - _EPOCH).days if isinstance(value, date) else value
