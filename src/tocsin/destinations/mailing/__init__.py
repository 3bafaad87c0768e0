"""What every station type that is told by mail shares: settings, the message, and sending it."""
