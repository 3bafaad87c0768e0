"""The life of a job: which one is taken, how long it is ours, what is done in which order, how it ends."""
