"""Figures about closed incidents: what is measured, from which event to which, and how much was left out."""
