"""What a schema is, and tables held against one."""

from collections.abc import Mapping

import polars as pl

from ecgwas.errors import UserError

Schema = Mapping[str, tuple[pl.DataType, str]]


def typed(table: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """`table` with the columns of `schema` first, cast to its types; further columns follow as they are.

    Raises `UserError` where a column of the schema is missing.
    """
    missing = [name for name in schema if name not in table.columns]
    if missing:
        raise UserError(f"columns {missing} are missing; the table has {table.columns}")
    extra = [name for name in table.columns if name not in schema]
    return table.select([pl.col(name).cast(dtype) for name, (dtype, _) in schema.items()] + [pl.col(e) for e in extra])


def empty(schema: Schema) -> pl.DataFrame:
    """A table of no rows with the columns of `schema`."""
    return pl.DataFrame(schema={name: dtype for name, (dtype, _) in schema.items()})
