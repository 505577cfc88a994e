"""Objects without HTTP: create, update, apply, delete, validate; field ownership; the errors that the API returns."""
