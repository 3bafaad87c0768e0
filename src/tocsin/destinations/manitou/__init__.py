"""A Manitou station, spoken to in XML over TCP."""
