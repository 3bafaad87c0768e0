"""A monitoring station whose automation software takes the Sur-Gard automation output."""
