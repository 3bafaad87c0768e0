"""A stand-in XProtect site: API Gateway, identity provider, Events and State service, one recording server."""
