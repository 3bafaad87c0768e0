"""Stand-in stations and panels, for the demo, commissioning and tests."""
