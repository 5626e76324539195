"""The configuration: what it may say (config.schema.json), typed, and where each value is from."""
