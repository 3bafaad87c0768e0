"""One occurrence: a log line and a metric that never disagree."""
