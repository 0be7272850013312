"""What dentasam is measured against, each checked in tests/benchmarks/ to compute what it is compared with."""
