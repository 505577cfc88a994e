"""The loops that join core and shell: watches feed a pure core, what it returns is carried out."""
