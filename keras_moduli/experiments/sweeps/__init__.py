"""Many runs: side by side, in pieces of some minutes, on clusters."""
