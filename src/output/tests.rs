//! Tests of what only real pipes, files and processes show.
