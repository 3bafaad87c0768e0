"""What the tests of encryption, upload and custody share."""
