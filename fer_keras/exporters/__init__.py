"""Exports: one file a family of formats, each held against Keras before it is kept; a table, `EXPORTERS`."""
