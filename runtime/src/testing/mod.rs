//! An in-process RESP3 server for examples and tests.
