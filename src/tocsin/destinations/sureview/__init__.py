"""SureView: a mail to the alarm point's own address."""
