"""Sur-Gard automation output: records, their framing, and the dialogue of both ends (surgard.md). Pure."""
