"""The project package and ground floor: accounts, queues, operations and processes."""
