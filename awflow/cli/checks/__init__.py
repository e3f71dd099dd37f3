"""What `awflow doctor` looks at: one part of a machine's fitness in each module."""
