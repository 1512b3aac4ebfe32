"""What people read: the evaluation report, its plots and tables, and the comparison of runs. Loads no Keras."""
