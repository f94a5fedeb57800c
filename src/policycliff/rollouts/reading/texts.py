"""Text for people from the columns of a table: prompts and completions may be chat messages."""

import polars as pl

from policycliff.rollouts.reading.dtypes import DataType

NAME_LENGTH = 80


def readable(column: pl.Series) -> pl.Series:
    """A column as text: chat messages as "role: content" lines, other nested values as JSON.

    >>> chat = pl.Series("prompt", [[{"role": "user", "content": "2+2?"}]])
    >>> readable(chat).to_list()
    ['user: 2+2?']
    """
    if _is_chat(column.dtype):
        return _chat_lines(column)
    if column.dtype.is_nested():
        encoded = pl.select(pl.struct(column.alias("value")).struct.json_encode()).to_series()
        text = encoded.str.strip_prefix('{"value":').str.strip_suffix("}")
        return text.set(column.is_null(), None).alias(column.name)
    if column.dtype == pl.Binary:
        return column.bin.encode("hex")
    if column.dtype == pl.Duration:
        return column.dt.to_string("polars")
    return column.cast(pl.String)


def short_name(column: pl.Series) -> pl.Series:
    r"""Text on one line and of at most `NAME_LENGTH` characters.

    >>> short_name(pl.Series(["two\nlines", "x" * 200])).str.len_chars().to_list()
    [9, 80]
    """
    line = readable(column).str.slice(0, 4 * NAME_LENGTH).str.replace_all(r"\s+", " ").str.strip_chars()
    frame = pl.DataFrame({"line": line})
    cut = pl.col("line").str.slice(0, NAME_LENGTH - 1) + "…"
    chosen = pl.when(pl.col("line").str.len_chars() > NAME_LENGTH).then(cut).otherwise("line")
    return frame.select(chosen.alias(column.name)).to_series()


def _is_chat(dtype: DataType) -> bool:
    if not isinstance(dtype, pl.List) or not isinstance(dtype.inner, pl.Struct):
        return False
    fields = {field.name: field.dtype for field in dtype.inner.fields}
    return fields.get("role") == pl.String and fields.get("content") == pl.String


def _chat_lines(column: pl.Series) -> pl.Series:
    role = pl.element().struct.field("role").fill_null("")
    content = pl.element().struct.field("content").fill_null("")
    return column.list.eval(pl.concat_str([role, pl.lit(": "), content])).list.join("\n")
