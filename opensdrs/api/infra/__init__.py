"""The infrastructure API: the built-in cloud over REST, under `/infra/v1/{project_id}`."""
