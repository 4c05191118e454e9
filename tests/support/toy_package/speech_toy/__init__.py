"""A method, a space, a corpus recipe and a metric of a package that speech-sweep knows nothing of."""
