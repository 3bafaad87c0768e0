"""A MicroKey station, by the Sur-Gard records its receiver drivers know. Unconfirmed."""
