"""An agent between a stand-in registry, a stand-in storage and recordings that a test describes."""
