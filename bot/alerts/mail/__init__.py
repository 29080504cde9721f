"""Mail that people send to an address of ours: Mailgun, SendGrid and Amazon SES post it. Pure."""
