"""Where runs live while someone watches: executors, live runs, the store."""
