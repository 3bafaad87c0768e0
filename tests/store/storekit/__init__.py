"""What the store's tests share; other rooms may add tests/store to their path for `storekit.postgres`."""
