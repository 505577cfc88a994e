"""What tests of every room share: programs, waiting, addresses, kubectl, the tools that `make tools` builds."""
