"""Who asks and what they may do: tokens, access keys, users, projects and the policy table."""
