"""Facts about pictures and clips, and reducing them to size."""
