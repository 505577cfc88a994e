"""ValidatingAdmissionPolicies: which requests they match, and their decision."""
