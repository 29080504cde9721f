"""After the incident: reviews, action items, reports."""
