"""Events as JSON to a web address."""
