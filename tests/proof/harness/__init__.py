"""Tools that prove what is claimed: power cuts, faulty links, virtual time, simulated stations (DESIGN.md 10)."""
