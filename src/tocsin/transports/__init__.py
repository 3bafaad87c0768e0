"""Moving bytes: TCP with a ring of hosts, SMTP, HTTP, TLS. No alarm words here."""
