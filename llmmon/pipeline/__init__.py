"""One use case per file: what the DAG tasks and the command line run."""
