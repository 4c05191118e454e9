"""Anyone's scores in, a verdict out: readers of score files, guessing of columns, and the answer's outputs."""
