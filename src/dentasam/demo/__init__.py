"""The tour of `dentasam demo`: every step from drawn X-rays to a comparison of two models."""
