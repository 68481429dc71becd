"""The lake's tables as Iceberg tables: the same data files, under a second set of metadata."""

__all__ = ["catalogs", "claims", "compare", "data_files", "mirror"]
