"""RQ jobs, the outbox that writes them, the leases of sends in flight, and the ledger for the objectives."""
