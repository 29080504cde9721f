"""RQ jobs, the outbox that writes them, leases, and the ledger of what happened when."""
