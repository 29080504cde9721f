"""A scripted month of both example companies, run at speed by the real parts, and what comes of it to look at.

`python -m benchmarks.month FOLDER` writes reviews, reports, mails, pay and the whole record of March 2026 into FOLDER,
takes pictures of what people see of them, and recounts every figure from the exported record.
"""
