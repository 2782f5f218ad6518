"""The material of the default run's chats: one module a category, each with examples()."""
