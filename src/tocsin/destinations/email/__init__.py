"""Events as mail for people."""
