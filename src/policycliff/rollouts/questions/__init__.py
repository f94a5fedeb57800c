"""What an expert asks after the audit, a folder or a file a question; every answer has the form of `answer`."""
