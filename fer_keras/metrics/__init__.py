"""How good predictions are: NumPy references, streaming Keras metrics, intervals and the score sheet.

- `reference`: one NumPy function a metric, the truth.
- `table`: the table `METRICS` and the direction of every score.
- `streaming`: Keras metrics equal to the references over a whole data set (the only part that imports Keras).
- `intervals`: Wilson and bootstrap confidence intervals.
- `scores`: every score of a predictions table as one JSON-serialisable dict.

Adding a metric takes its function in `reference`, its class in `streaming` if training should log it, and its line
in `table.METRICS`. Importing this package loads nothing.
"""
