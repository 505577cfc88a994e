//go:build tools

// Package tools pins the Flagger that drives our Gateways in the tests.
package tools

import _ "github.com/fluxcd/flagger/cmd/flagger"
