"""The only code that knows AWS: adapters, settings and the runtime of the handlers."""
