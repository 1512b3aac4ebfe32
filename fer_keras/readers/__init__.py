"""Readers: one file layout each, from files to rows of labels; a table, `READERS`, and the data spec."""
