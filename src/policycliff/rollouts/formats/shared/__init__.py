"""What several readers share: values of JSON, rows into frames, messages, tables, rewards."""
