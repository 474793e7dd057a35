"""The computations behind the lessons: a frozen config in, a frozen report of arrays out."""
