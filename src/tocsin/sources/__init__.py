"""How events come in, apart from HTTP, which is the API's."""
