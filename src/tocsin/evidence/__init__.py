"""The agent of an evidence registry: jobs, video, encryption, upload, custody."""
