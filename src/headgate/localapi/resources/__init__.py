"""The served resources: built-in kinds, CustomResourceDefinitions, and the definitions that the API starts with."""
