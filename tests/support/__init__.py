"""What the tests share: the server of the run, databases, logins, waiting for locks, the server's log, psql."""
