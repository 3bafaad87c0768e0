"""Accellence EBÜS: pictures and texts in folders of the station's FTP server."""
