"""Alerts from monitoring: what an alert is, how it is routed, and which alerts are one problem. Pure."""
