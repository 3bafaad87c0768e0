"""Pictures: what can be known of them, and making large ones smaller."""
