"""AWS on this machine: ministack and the services it lacks, one loopback server that builds, trains and serves."""
