"""The rules of Kubernetes objects in CEL: those of CustomResourceDefinitions and of admission policies.

* `library` – the functions that Kubernetes adds to CEL;
* `programs` – an expression, compiled once, and what goes wrong in it;
* `values` – JSON as CEL sees it through a schema;
* `rules` – `x-kubernetes-validations` of a whole schema, applied to an object and the one that it replaces.

The language itself is common-expression-language (`cel`). What it does not do, compared with Kubernetes: it checks no
types and no cost before an expression runs, and it reads neither `?.` nor comprehensions over two variables. Where both
sides of `||` have no value, it says why the right one has none, and Kubernetes says it of the left one.
"""
