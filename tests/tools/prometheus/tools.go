//go:build tools

// Package tools pins the Prometheus that the tests query.
package tools

import _ "github.com/prometheus/prometheus/cmd/prometheus"
