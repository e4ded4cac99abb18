"""What is known of the networks and data samples of other libraries."""
