"""The pages people see: thin callbacks and the browser's code over `backend`."""
