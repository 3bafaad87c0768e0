"""A Stages signal service, spoken to by SOAP."""
