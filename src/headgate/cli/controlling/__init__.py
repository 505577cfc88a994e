"""What `headgate controller` runs. Not imported before it does: a verb that is not called must cost nothing."""
