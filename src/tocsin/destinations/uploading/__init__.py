"""What destinations share that put files on a station's FTP servers."""
